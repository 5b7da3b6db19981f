// Memory with one write port (a word of a row) and one read port (a whole row, one cycle later).
// The last row read stays on rdata_o, so a row can serve as a register.
module mint_ram #(
  parameter int unsigned Width = 32,
  parameter int unsigned Words = 1,
  parameter int unsigned Depth = 16,
  localparam int unsigned AddrWidth    = (Depth > 1) ? $clog2(Depth) : 1,
  localparam int unsigned WordIdxWidth = (Words > 1) ? $clog2(Words) : 1
) (
  input  logic                         clk_i,
  input  logic                         we_i,
  input  logic [AddrWidth-1:0]         waddr_i,
  input  logic [WordIdxWidth-1:0]      wword_i,
  input  logic [Width-1:0]             wdata_i,
  input  logic                         re_i,
  input  logic [AddrWidth-1:0]         raddr_i,
  output logic [Words-1:0][Width-1:0]  rdata_o
);

  logic [Words-1:0][Width-1:0] mem [Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) begin
      mem[waddr_i][wword_i] <= wdata_i;
    end
    if (re_i) begin
      rdata_o <= mem[raddr_i];
    end
  end

endmodule
