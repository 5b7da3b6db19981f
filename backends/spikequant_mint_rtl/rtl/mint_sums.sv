// Scratchpads of all lanes: one partial sum per lane and row, written and read by whole rows.
// The last row read stays on rdata_o.
module mint_sums #(
  parameter int unsigned AccBits = 16,
  parameter int unsigned Depth   = 512,
  localparam int unsigned AddrWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                                    clk_i,
  input  logic                                    we_i,
  input  logic                                    re_i,
  input  logic [AddrWidth-1:0]                    addr_i,
  input  logic [mint_pkg::Lanes-1:0][AccBits-1:0] wdata_i,
  output logic [mint_pkg::Lanes-1:0][AccBits-1:0] rdata_o
);

  logic [mint_pkg::Lanes-1:0][AccBits-1:0] mem [Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) begin
      mem[addr_i] <= wdata_i;
    end
    if (re_i) begin
      rdata_o <= mem[addr_i];
    end
  end

endmodule
