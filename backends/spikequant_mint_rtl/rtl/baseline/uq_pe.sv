// Processing element of vanilla uniform quantization: mint_pe's accumulate unit, then a multiplier.
//
// Accumulate:  acc = (double ? 2 * acc : acc) + (spike ? weight : 0), or acc + addend (bias, partial sum)
// LIF:         H = multiplier * acc + ((U << p) >> k);  S = H >= theta
//              K = S ? 0 : floor(H / 2**p + 1/2);  U = clamp(K, -(2**(n-1) - 1), 2**(n-1) - 1)
// with p = fraction, k = leak_shift; H and theta count in 1 / 2**p of a code of U.
// Source: MINT, Eq. 5, the real ratio of scales as multiplier / 2**p (Fig. 1, right, is this hardware).
// With multiplier 1 and p = 0 a step is mint_pe's with leak on read, floor and reset to zero.
// The product, U << p and H must fit in ScaleWidth bits; the host refuses programs in which they do not.
module uq_pe #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,

  input  logic                                   clear_i,       // accumulator and potential, before a new output
  input  logic                                   acc_valid_i,
  input  logic                                   acc_double_i,
  input  logic                                   spike_i,
  input  logic signed [WeightBits-1:0]           weight_i,
  input  logic                                   add_valid_i,
  input  logic signed [AccBits-1:0]              addend_i,
  input  logic                                   drop_i,        // the accumulator was stored elsewhere

  input  logic                                   lif_valid_i,
  input  mint_pkg::lif_rules_t                   rules_i,
  input  logic signed [mint_pkg::ScaleWidth-1:0] multiplier_i,
  input  logic signed [mint_pkg::ScaleWidth-1:0] theta_i,

  output logic                                   fired_o,
  output logic                                   saturated_o,
  output logic signed [AccBits-1:0]              acc_o,
  output logic signed [PotentialBits-1:0]        potential_o
);

  localparam int unsigned ScaleBits = mint_pkg::ScaleWidth;

  localparam logic signed [PotentialBits-1:0] Top     = {1'b0, {(PotentialBits - 1) {1'b1}}};
  localparam logic signed [ScaleBits:0]       KeptTop = (ScaleBits + 1)'(Top);

  logic signed [AccBits-1:0]       acc_q, acc_d;
  logic signed [PotentialBits-1:0] potential_q, potential_d;
  logic                            fired_q, fired_d, saturated_q, saturated_d;

  // The other orders and resets are MINT's.
  logic unused_rules;
  assign unused_rules = ^{rules_i.reset_subtract, rules_i.leak_toward_zero, rules_i.leak_on_store};

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
    logic signed [ScaleBits-1:0] scaled, seen, pre_reset;
    logic signed [ScaleBits:0]   halves, kept;  // one bit more, for the half below the point
    scaled      = '0;
    seen        = '0;
    pre_reset   = '0;
    halves      = '0;
    kept        = '0;
    potential_d = potential_q;
    fired_d     = fired_q;
    saturated_d = saturated_q;
    if (clear_i) begin
      potential_d = '0;
    end else if (lif_valid_i) begin
      scaled    = ScaleBits'(acc_q) * multiplier_i;
      seen      = (ScaleBits'(potential_q) <<< rules_i.fraction) >>> rules_i.leak_shift;
      pre_reset = scaled + seen;
      fired_d   = pre_reset >= theta_i;
      if (!fired_d) begin
        // Adding the half after the shift is the same value, and H near its limit cannot overflow.
        halves = $signed({pre_reset, 1'b0}) >>> rules_i.fraction;
        kept   = (halves >>> 1) + $signed({{ScaleBits{1'b0}}, halves[0]});
      end
      saturated_d = (kept > KeptTop) || (kept < -KeptTop);
      if (kept > KeptTop) begin
        potential_d = Top;
      end else if (kept < -KeptTop) begin
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
