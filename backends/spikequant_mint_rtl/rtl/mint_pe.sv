// Processing element: accumulate unit and LIF unit. No multiplier.
//
// Accumulate:  acc = (double ? 2 * acc : acc) + (spike ? weight : 0), or acc + addend (bias, partial sum)
// LIF:         H = acc + leak(U);  S = H >= theta;  K = S ? (subtract ? H - theta : 0) : H
//              U = clamp(K, -(2**(n-1) - 1), 2**(n-1) - 1)
// With leak_on_store H = acc + U, and the leak acts on K before the clamp.
// Source: MINT, Algorithm 1 (Eqs. 6 and 9); symmetric range of Eq. 10.
// AccBits must exceed the largest leak shift (15): toward zero, a shift by the whole width is not exact.
module mint_pe #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,

  input  logic                            clear_i,       // accumulator and potential, before a new output
  input  logic                            acc_valid_i,
  input  logic                            acc_double_i,
  input  logic                            spike_i,
  input  logic signed [WeightBits-1:0]    weight_i,
  input  logic                            add_valid_i,
  input  logic signed [AccBits-1:0]       addend_i,
  input  logic                            drop_i,        // the accumulator was stored elsewhere

  input  logic                            lif_valid_i,
  input  mint_pkg::lif_rules_t            rules_i,
  input  logic signed [AccBits-1:0]       theta_i,

  output logic                            fired_o,
  output logic                            saturated_o,
  output logic signed [AccBits-1:0]       acc_o,
  output logic signed [PotentialBits-1:0] potential_o
);

  localparam logic signed [PotentialBits-1:0] Top    = {1'b0, {(PotentialBits - 1) {1'b1}}};
  localparam logic signed [AccBits-1:0]       AccTop = AccBits'(Top);

  logic signed [AccBits-1:0]       acc_q, acc_d;
  logic signed [PotentialBits-1:0] potential_q, potential_d;
  logic                            fired_q, fired_d, saturated_q, saturated_d;

  // The multiplier's fraction is the baseline's.
  logic unused_fraction;
  assign unused_fraction = ^rules_i.fraction;

  // Shift right; toward zero, a negative value first gains 2**shift - 1.
  function automatic logic signed [AccBits-1:0] leak(input logic signed [AccBits-1:0] value,
                                                     input logic [mint_pkg::ShiftWidth-1:0] shift,
                                                     input logic toward_zero);
    logic signed [AccBits-1:0] below;
    below = ~({AccBits{1'b1}} << shift);
    leak = ((toward_zero && value[AccBits-1]) ? value + below : value) >>> shift;
  endfunction

  always_comb begin
    acc_d = acc_q;
    if (acc_valid_i) begin
      acc_d = acc_double_i ? acc_q <<< 1 : acc_q;
      if (spike_i) begin
        acc_d = acc_d + AccBits'(weight_i);
      end
    end else if (add_valid_i) begin
      acc_d = acc_q + addend_i;
    end else if (clear_i || drop_i || lif_valid_i) begin
      acc_d = '0;
    end
  end

  always_comb begin
    logic signed [AccBits-1:0] seen, pre_reset, kept;
    seen        = '0;
    pre_reset   = '0;
    kept        = '0;
    potential_d = potential_q;
    fired_d     = fired_q;
    saturated_d = saturated_q;
    if (clear_i) begin
      potential_d = '0;
    end else if (lif_valid_i) begin
      seen = AccBits'(potential_q);
      if (!rules_i.leak_on_store) begin
        seen = leak(seen, rules_i.leak_shift, rules_i.leak_toward_zero);
      end
      pre_reset = acc_q + seen;
      fired_d   = pre_reset >= theta_i;
      kept      = pre_reset;
      if (fired_d) begin
        kept = rules_i.reset_subtract ? pre_reset - theta_i : '0;
      end
      if (rules_i.leak_on_store) begin
        kept = leak(kept, rules_i.leak_shift, rules_i.leak_toward_zero);
      end
      saturated_d = (kept > AccTop) || (kept < -AccTop);
      if (kept > AccTop) begin
        potential_d = Top;
      end else if (kept < -AccTop) begin
        potential_d = -Top;
      end else begin
        potential_d = kept[PotentialBits-1:0];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      acc_q       <= '0;
      potential_q <= '0;
      fired_q     <= 1'b0;
      saturated_q <= 1'b0;
    end else begin
      acc_q       <= acc_d;
      potential_q <= potential_d;
      fired_q     <= fired_d;
      saturated_q <= saturated_d;
    end
  end

  assign fired_o     = fired_q;
  assign saturated_o = saturated_q;
  assign acc_o       = acc_q;
  assign potential_o = potential_q;

endmodule
