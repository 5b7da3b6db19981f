// The row of processing elements: one broadcast spike, one weight per lane.
// row_o is the verification port: the accumulators (readout) or stored potentials of all lanes.
module mint_array #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16
) (
  input  logic                                              clk_i,
  input  logic                                              rst_ni,

  input  logic                                              clear_i,
  input  logic                                              acc_valid_i,
  input  logic                                              acc_double_i,
  input  logic                                              spike_i,
  input  logic [mint_pkg::Lanes-1:0][WeightBits-1:0]        weights_i,
  input  logic                                              bias_valid_i,
  input  logic [mint_pkg::Lanes-1:0][AccBits-1:0]           bias_i,
  input  logic                                              lif_valid_i,
  input  mint_pkg::lif_rules_t                              rules_i,
  input  logic [mint_pkg::Lanes-1:0][AccBits-1:0]           theta_i,

  input  logic                                              row_capture_i,
  input  logic                                              row_readout_i,
  output logic [mint_pkg::Lanes-1:0][31:0]                  row_o,

  output logic [mint_pkg::Lanes-1:0]                        fired_o,
  output logic [mint_pkg::Lanes-1:0]                        saturated_o
);

  logic signed [mint_pkg::Lanes-1:0][AccBits-1:0]       acc;
  logic signed [mint_pkg::Lanes-1:0][PotentialBits-1:0] potential;

  for (genvar i = 0; i < int'(mint_pkg::Lanes); i++) begin : g_lane
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
      .weight_i    (weights_i[i]),
      .bias_valid_i,
      .bias_i      (bias_i[i]),
      .lif_valid_i,
      .rules_i,
      .theta_i     (theta_i[i]),
      .fired_o     (fired_o[i]),
      .saturated_o (saturated_o[i]),
      .acc_o       (acc[i]),
      .potential_o (potential[i])
    );

    always_ff @(posedge clk_i) begin
      if (row_capture_i) begin
        row_o[i] <= row_readout_i ? 32'($signed(acc[i])) : 32'($signed(potential[i]));
      end
    end
  end

endmodule
