// The row of processing elements, each with its scratchpad of partial sums: one broadcast spike, one weight
// per lane.
// Uq chooses the baseline's processing element. row_o is the verification port: the accumulators
// (readout) or stored potentials of all lanes, and which of them fired.
module mint_array #(
  parameter int unsigned WeightBits    = 8,
  parameter int unsigned PotentialBits = 8,
  parameter int unsigned AccBits       = 16,
  parameter int unsigned SumRows       = 512,
  parameter bit          Uq            = 1'b0,
  localparam int unsigned ThetaBits    = Uq ? mint_pkg::ScaleWidth : AccBits,
  localparam int unsigned SumAddrWidth = (SumRows > 1) ? $clog2(SumRows) : 1
) (
  input  logic                                                 clk_i,
  input  logic                                                 rst_ni,

  input  logic                                                 clear_i,
  input  logic                                                 acc_valid_i,
  input  logic                                                 acc_double_i,
  input  logic                                                 spike_i,
  input  logic [mint_pkg::Lanes-1:0][WeightBits-1:0]           weights_i,
  input  logic [mint_pkg::Lanes-1:0]                           bias_valid_i,
  input  logic [mint_pkg::Lanes-1:0][AccBits-1:0]              bias_i,
  input  logic                                                 sum_valid_i,   // add the sum read before
  input  logic                                                 sum_read_i,
  input  logic                                                 sum_write_i,
  input  logic [SumAddrWidth-1:0]                              sum_addr_i,
  input  logic                                                 drop_i,
  input  logic                                                 lif_valid_i,
  input  mint_pkg::lif_rules_t                                 rules_i,
  input  logic [mint_pkg::Lanes-1:0][ThetaBits-1:0]            theta_i,
  input  logic [mint_pkg::Lanes-1:0][mint_pkg::ScaleWidth-1:0] multiplier_i,

  output logic [mint_pkg::Lanes-1:0]                           fired_o,
  output logic [mint_pkg::Lanes-1:0]                           saturated_o,

  input  logic                                                 row_capture_i,
  input  logic                                                 row_readout_i,
  output logic [mint_pkg::Lanes-1:0][31:0]                     row_o,
  output logic [mint_pkg::Lanes-1:0]                           row_fired_o
);

  if (!Uq) begin : g_no_scale
    logic unused_multiplier;
    assign unused_multiplier = ^multiplier_i;
  end

  for (genvar i = 0; i < int'(mint_pkg::Lanes); i++) begin : g_lane
    logic [AccBits-1:0]       acc, sum, addend;
    logic [PotentialBits-1:0] potential;

    mint_ram #(
      .Width(AccBits),
      .Words(1),
      .Depth(SumRows)
    ) u_sums (
      .clk_i,
      .we_i   (sum_write_i),
      .waddr_i(sum_addr_i),
      .wword_i(1'b0),
      .wdata_i(acc),
      .re_i   (sum_read_i),
      .raddr_i(sum_addr_i),
      .rdata_o(sum)
    );

    assign addend = sum_valid_i ? sum : bias_i[i];

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
        .add_valid_i (sum_valid_i || bias_valid_i[i]),
        .addend_i    (addend),
        .drop_i,
        .lif_valid_i,
        .rules_i,
        .theta_i     (theta_i[i]),
        .multiplier_i(multiplier_i[i]),
        .fired_o     (fired_o[i]),
        .saturated_o (saturated_o[i]),
        .acc_o       (acc),
        .potential_o (potential)
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
        .add_valid_i(sum_valid_i || bias_valid_i[i]),
        .addend_i   (addend),
        .drop_i,
        .lif_valid_i,
        .rules_i,
        .theta_i    (theta_i[i]),
        .fired_o    (fired_o[i]),
        .saturated_o(saturated_o[i]),
        .acc_o      (acc),
        .potential_o(potential)
      );
    end

    always_ff @(posedge clk_i) begin
      if (row_capture_i) begin
        row_o[i] <= row_readout_i ? 32'($signed(acc)) : 32'($signed(potential));
        row_fired_o[i] <= fired_o[i];
      end
    end
  end

endmodule
