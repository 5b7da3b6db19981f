// A processing element of vanilla uniform quantization as the MINT paper draws it (Fig. 1, right; Eq. 5), for its area.
//
// Accumulate:  acc = acc + (spike ? weight : 0)
// LIF:         H = ((multiplier * acc) >>> shift) + (U >>> 1) in 32 bits;  S = H >= theta
//              U = clamp(S ? 0 : H, -(2**(p-1) - 1), 2**(p-1) - 1), p = PotentialBits
// The paper's form keeps all 64 bits of the product and shifts them by 0 to 63. ProductBits = 32 and Shifted = 0 take
// these two parts away, one after the other, which is what rtl/baseline/uq_pe.sv does without. With Isolated the
// multiplier sees the accumulator in a LIF step only, and zero in all other cycles.
module paper_uq_pe #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 32,
  parameter int unsigned AccBits       = 21,
  parameter int unsigned ProductBits   = 64,
  parameter bit          Shifted       = 1'b1,
  parameter bit          Isolated      = 1'b0
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,
  input  logic                                   spike_i,
  input  logic signed [WeightBits-1:0]           weight_i,
  input  logic                                   lif_valid_i,
  input  logic signed [mint_pkg::ScaleWidth-1:0] multiplier_i,
  input  logic [$clog2(ProductBits)-1:0]         shift_i,
  input  logic signed [mint_pkg::ScaleWidth-1:0] theta_i,
  output logic                                   fired_o,
  output logic signed [PotentialBits-1:0]        potential_o
);

  localparam int unsigned ScaleBits = mint_pkg::ScaleWidth;

  localparam logic signed [PotentialBits-1:0] Top     = {1'b0, {(PotentialBits - 1) {1'b1}}};
  localparam logic signed [ScaleBits-1:0]     KeptTop = ScaleBits'(Top);

  logic signed [AccBits-1:0]       acc_q, operand;
  logic signed [ProductBits-1:0]   product;
  logic signed [ScaleBits-1:0]     scaled, pre_reset, kept;
  logic signed [PotentialBits-1:0] potential_q, potential_d;
  logic                            fired_q, fired_d;

  always_comb begin
    operand     = Isolated && !lif_valid_i ? '0 : acc_q;
    product     = ProductBits'(operand) * ProductBits'(multiplier_i);
    scaled      = ScaleBits'(Shifted ? product >>> shift_i : product);
    pre_reset   = scaled + ScaleBits'(potential_q >>> 1);
    fired_d     = pre_reset >= theta_i;
    kept        = fired_d ? '0 : pre_reset;
    potential_d = kept[PotentialBits-1:0];
    if (kept > KeptTop) begin
      potential_d = Top;
    end else if (kept < -KeptTop) begin
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
