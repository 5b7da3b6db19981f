// The row of processing elements: one broadcast spike, one weight per lane.
// Uq chooses the baseline's processing element. row_o is the verification port: the accumulators
// (readout) or stored potentials of all lanes, and which of them fired.
module mint_array #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16,
  parameter bit          Uq            = 1'b0,
  localparam int unsigned ThetaBits = Uq ? mint_pkg::ScaleWidth : AccBits
) (
  input  logic                                                 clk_i,
  input  logic                                                 rst_ni,

  input  logic                                                 clear_i,
  input  logic                                                 acc_valid_i,
  input  logic                                                 acc_double_i,
  input  logic                                                 spike_i,
  input  logic [mint_pkg::Lanes-1:0][WeightBits-1:0]           weights_i,
  input  logic [mint_pkg::Lanes-1:0]                           add_valid_i,
  input  logic [mint_pkg::Lanes-1:0][AccBits-1:0]              addend_i,
  input  logic                                                 drop_i,
  input  logic                                                 lif_valid_i,
  input  mint_pkg::lif_rules_t                                 rules_i,
  input  logic [mint_pkg::Lanes-1:0][ThetaBits-1:0]            theta_i,
  input  logic [mint_pkg::Lanes-1:0][mint_pkg::ScaleWidth-1:0] multiplier_i,

  output logic [mint_pkg::Lanes-1:0][AccBits-1:0]              acc_o,
  output logic [mint_pkg::Lanes-1:0]                           fired_o,
  output logic [mint_pkg::Lanes-1:0]                           saturated_o,

  input  logic                                                 row_capture_i,
  input  logic                                                 row_readout_i,
  output logic [mint_pkg::Lanes-1:0][31:0]                     row_o,
  output logic [mint_pkg::Lanes-1:0]                           row_fired_o
);

  logic [mint_pkg::Lanes-1:0][PotentialBits-1:0] potential;

  if (!Uq) begin : g_no_scale
    logic unused_multiplier;
    assign unused_multiplier = ^multiplier_i;
  end

  for (genvar i = 0; i < int'(mint_pkg::Lanes); i++) begin : g_lane
    if (Uq) begin : g_uq
      uq_pe #(
        .WeightBits   (WeightBits),
        .PotentialBits(PotentialBits),
        .AccBits      (AccBits)
      ) u_pe (
        .clk_i,
        .rst_ni,
        .clear_i,
        .acc_valid_i,
        .acc_double_i,
        .spike_i,
        .weight_i    (weights_i[i]),
        .add_valid_i (add_valid_i[i]),
        .addend_i    (addend_i[i]),
        .drop_i,
        .lif_valid_i,
        .rules_i,
        .theta_i     (theta_i[i]),
        .multiplier_i(multiplier_i[i]),
        .fired_o     (fired_o[i]),
        .saturated_o (saturated_o[i]),
        .acc_o       (acc_o[i]),
        .potential_o (potential[i])
      );
    end else begin : g_mint
      mint_pe #(
        .WeightBits   (WeightBits),
        .PotentialBits(PotentialBits),
        .AccBits      (AccBits)
      ) u_pe (
        .clk_i,
        .rst_ni,
        .clear_i,
        .acc_valid_i,
        .acc_double_i,
        .spike_i,
        .weight_i   (weights_i[i]),
        .add_valid_i(add_valid_i[i]),
        .addend_i   (addend_i[i]),
        .drop_i,
        .lif_valid_i,
        .rules_i,
        .theta_i    (theta_i[i]),
        .fired_o    (fired_o[i]),
        .saturated_o(saturated_o[i]),
        .acc_o      (acc_o[i]),
        .potential_o(potential[i])
      );
    end

    always_ff @(posedge clk_i) begin
      if (row_capture_i) begin
        row_o[i] <= row_readout_i ? 32'($signed(acc_o[i])) : 32'($signed(potential[i]));
        row_fired_o[i] <= fired_o[i];
      end
    end
  end

endmodule
