// All cores of the program behind one host port: core_i chooses one, and only its clock runs.
module bench (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic [7:0]    core_i,  // changes while clk_i is low

  input  logic          host_we_i,
  input  logic          host_re_i,
  input  logic [2:0]    host_sel_i,
  input  logic [23:0]   host_addr_i,
  input  logic [31:0]   host_wdata_i,
  output logic [31:0]   host_rdata_o,
  output logic          busy_o,

  output logic          row_valid_o,
  output logic [4095:0] row_o,       // 128 lanes of 32 bits
  output logic [127:0]  row_fired_o
);

  logic [cores_pkg::Cores-1:0]                           busy, row_valid;
  logic [cores_pkg::Cores-1:0][31:0]                     rdata;
  logic [cores_pkg::Cores-1:0][mint_pkg::Lanes-1:0][31:0] row;
  logic [cores_pkg::Cores-1:0][mint_pkg::Lanes-1:0]      row_fired;

  for (genvar i = 0; i < int'(cores_pkg::Cores); i++) begin : g_core
    logic chosen, clk;
    assign chosen = core_i == 8'(i);
    assign clk    = clk_i && chosen;

    mint_core #(
      .WeightBits    (cores_pkg::WeightBits[i]),
      .PotentialBits (cores_pkg::PotentialBits[i]),
      .AccBits       (cores_pkg::AccBits[i]),
      .WeightRows    (cores_pkg::WeightRows[i]),
      .SpikeDepthLog2(cores_pkg::SpikeDepthLog2[i]),
      .SumRows       (cores_pkg::SumRows[i]),
      .Uq            (cores_pkg::Uq[i])
    ) u_core (
      .clk_i       (clk),
      .rst_ni,
      .host_we_i   (host_we_i && chosen),
      .host_re_i   (host_re_i && chosen),
      .host_sel_i,
      .host_addr_i,
      .host_wdata_i,
      .host_rdata_o(rdata[i]),
      .busy_o      (busy[i]),
      .row_valid_o (row_valid[i]),
      .row_o       (row[i]),
      .row_fired_o (row_fired[i])
    );
  end

  always_comb begin
    host_rdata_o = '0;
    busy_o       = 1'b0;
    row_valid_o  = 1'b0;
    row_o        = '0;
    row_fired_o  = '0;
    for (int unsigned i = 0; i < cores_pkg::Cores; i++) begin
      if (core_i == 8'(i)) begin
        host_rdata_o = rdata[i];
        busy_o       = busy[i];
        row_valid_o  = row_valid[i];
        row_o        = row[i];
        row_fired_o  = row_fired[i];
      end
    end
  end

endmodule
