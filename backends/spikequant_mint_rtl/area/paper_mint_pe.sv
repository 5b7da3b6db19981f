// A processing element of MINT as the paper draws it (Fig. 1, left; Algorithm 1), for its area: nothing else is in it.
//
// Accumulate:  acc = acc + (spike ? weight : 0)
// LIF:         H = acc + (U >>> 1);  S = H >= theta;  U = clamp(S ? 0 : H, -(2**(n-1) - 1), 2**(n-1) - 1)
module paper_mint_pe #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 21
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  input  logic                            spike_i,
  input  logic signed [WeightBits-1:0]    weight_i,
  input  logic                            lif_valid_i,
  input  logic signed [AccBits-1:0]       theta_i,
  output logic                            fired_o,
  output logic signed [PotentialBits-1:0] potential_o
);

  localparam logic signed [PotentialBits-1:0] Top    = {1'b0, {(PotentialBits - 1) {1'b1}}};
  localparam logic signed [AccBits-1:0]       AccTop = AccBits'(Top);

  logic signed [AccBits-1:0]       acc_q, pre_reset, kept;
  logic signed [PotentialBits-1:0] potential_q, potential_d;
  logic                            fired_q, fired_d;

  always_comb begin
    pre_reset   = acc_q + AccBits'(potential_q >>> 1);
    fired_d     = pre_reset >= theta_i;
    kept        = fired_d ? '0 : pre_reset;
    potential_d = kept[PotentialBits-1:0];
    if (kept > AccTop) begin
      potential_d = Top;
    end else if (kept < -AccTop) begin
      potential_d = -Top;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      acc_q       <= '0;
      potential_q <= '0;
      fired_q     <= 1'b0;
    end else if (lif_valid_i) begin
      acc_q       <= '0;
      potential_q <= potential_d;
      fired_q     <= fired_d;
    end else if (spike_i) begin
      acc_q <= acc_q + AccBits'(weight_i);
    end
  end

  assign fired_o     = fired_q;
  assign potential_o = potential_q;

endmodule
