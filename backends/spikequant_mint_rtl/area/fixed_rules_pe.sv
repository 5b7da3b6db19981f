// A processing element whose rules are wired as the papers' are, for its area: leak 1/2 on read, rounded down,
// reset to zero. The baseline's fraction stays an input, since a scale needs its point.
module fixed_rules_pe #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16,
  parameter bit          Uq            = 1'b0,
  localparam int unsigned ThetaBits = Uq ? mint_pkg::ScaleWidth : AccBits
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,
  input  logic                                   clear_i,
  input  logic                                   acc_valid_i,
  input  logic                                   acc_double_i,
  input  logic                                   spike_i,
  input  logic signed [WeightBits-1:0]           weight_i,
  input  logic                                   add_valid_i,
  input  logic signed [AccBits-1:0]              addend_i,
  input  logic                                   drop_i,
  input  logic                                   lif_valid_i,
  input  logic [mint_pkg::FractionWidth-1:0]     fraction_i,
  input  logic signed [mint_pkg::ScaleWidth-1:0] multiplier_i,
  input  logic signed [ThetaBits-1:0]            theta_i,
  output logic                                   fired_o,
  output logic                                   saturated_o,
  output logic signed [AccBits-1:0]              acc_o,
  output logic signed [PotentialBits-1:0]        potential_o
);

  mint_pkg::lif_rules_t rules_i;

  always_comb begin
    rules_i            = '0;
    rules_i.fraction   = fraction_i;
    rules_i.leak_shift = mint_pkg::ShiftWidth'(1);
  end

  if (Uq) begin : g_uq
    uq_pe #(
      .WeightBits   (WeightBits),
      .PotentialBits(PotentialBits),
      .AccBits      (AccBits)
    ) u_pe (
      .*
    );
  end else begin : g_mint
    mint_pe #(
      .WeightBits   (WeightBits),
      .PotentialBits(PotentialBits),
      .AccBits      (AccBits)
    ) u_pe (
      .*
    );
  end

endmodule
