// Address generator of one timestep of one output pixel: plane > ky > kx > wy > wx > word.
// (wy, wx) is a position in the window of a sum pooling: all positions of a tap share its weight rows.
// A tap outside the map (padding) is one slot without a read.
module mint_agu (
  input  logic                clk_i,
  input  logic                rst_ni,

  input  mint_pkg::window_t   window_i,
  input  logic                start_i,
  input  mint_pkg::addr_t     addr_i,    // word of plane 0, tap (0, 0)
  input  mint_pkg::addr_t     row_i,     // first weight row of the tile
  input  mint_pkg::place_t    y_i,       // map position of tap (0, 0); negative in the padding
  input  mint_pkg::place_t    x_i,
  input  logic                next_i,

  output mint_pkg::slot_t     slot_o,
  output mint_pkg::addr_t     addr_o
);

  mint_pkg::count_t plane_q, plane_d, ky_q, ky_d, kx_q, kx_d, wy_q, wy_d, wx_q, wx_d, word_q, word_d;
  mint_pkg::addr_t  plane_addr_q, plane_addr_d, ky_addr_q, ky_addr_d, kx_addr_q, kx_addr_d;
  mint_pkg::addr_t  wy_addr_q, wy_addr_d, wx_addr_q, wx_addr_d, row_q, row_d;
  mint_pkg::place_t y, x;
  logic in_map, word_last, wx_last, wy_last, kx_last, ky_last, plane_last;

  assign y = y_i + $signed({2'b0, ky_q});
  assign x = x_i + $signed({2'b0, kx_q});
  assign in_map = (y >= 0) && (y < $signed({2'b0, window_i.in_height})) &&
                  (x >= 0) && (x < $signed({2'b0, window_i.in_width}));
  assign word_last  = !in_map || (word_q == window_i.words - 1'b1);
  assign wx_last    = !in_map || (wx_q == window_i.window_width - 1'b1);
  assign wy_last    = !in_map || (wy_q == window_i.window_height - 1'b1);
  assign kx_last    = kx_q == window_i.kernel_width - 1'b1;
  assign ky_last    = ky_q == window_i.kernel_height - 1'b1;
  assign plane_last = plane_q == window_i.planes - 1'b1;

  always_comb begin
    plane_d      = plane_q;
    ky_d         = ky_q;
    kx_d         = kx_q;
    wy_d         = wy_q;
    wx_d         = wx_q;
    word_d       = word_q;
    plane_addr_d = plane_addr_q;
    ky_addr_d    = ky_addr_q;
    kx_addr_d    = kx_addr_q;
    wy_addr_d    = wy_addr_q;
    wx_addr_d    = wx_addr_q;
    row_d        = row_q;
    if (start_i) begin
      plane_d      = '0;
      ky_d         = '0;
      kx_d         = '0;
      wy_d         = '0;
      wx_d         = '0;
      word_d       = '0;
      plane_addr_d = addr_i;
      ky_addr_d    = addr_i;
      kx_addr_d    = addr_i;
      wy_addr_d    = addr_i;
      wx_addr_d    = addr_i;
      row_d        = row_i;
    end else if (next_i && !word_last) begin
      word_d = word_q + 1'b1;
    end else if (next_i) begin
      word_d = '0;
      if (!wx_last) begin
        wx_d      = wx_q + 1'b1;
        wx_addr_d = wx_addr_q + mint_pkg::addr_t'(window_i.words);
      end else if (!wy_last) begin
        wx_d      = '0;
        wy_d      = wy_q + 1'b1;
        wy_addr_d = wy_addr_q + window_i.src_row_stride;
        wx_addr_d = wy_addr_d;
      end else begin
        wx_d  = '0;
        wy_d  = '0;
        row_d = row_q + mint_pkg::addr_t'(window_i.channels);
        if (!kx_last) begin
          kx_d      = kx_q + 1'b1;
          kx_addr_d = kx_addr_q + window_i.src_tap_x_stride;
        end else if (!ky_last) begin
          kx_d      = '0;
          ky_d      = ky_q + 1'b1;
          ky_addr_d = ky_addr_q + window_i.src_tap_y_stride;
          kx_addr_d = ky_addr_d;
        end else begin
          kx_d         = '0;
          ky_d         = '0;
          plane_d      = plane_q + 1'b1;
          plane_addr_d = plane_addr_q + window_i.src_plane_stride;
          ky_addr_d    = plane_addr_d;
          kx_addr_d    = plane_addr_d;
          row_d        = row_i;
        end
        wy_addr_d = kx_addr_d;
        wx_addr_d = kx_addr_d;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      plane_q      <= '0;
      ky_q         <= '0;
      kx_q         <= '0;
      wy_q         <= '0;
      wx_q         <= '0;
      word_q       <= '0;
      plane_addr_q <= '0;
      ky_addr_q    <= '0;
      kx_addr_q    <= '0;
      wy_addr_q    <= '0;
      wx_addr_q    <= '0;
      row_q        <= '0;
    end else begin
      plane_q      <= plane_d;
      ky_q         <= ky_d;
      kx_q         <= kx_d;
      wy_q         <= wy_d;
      wx_q         <= wx_d;
      word_q       <= word_d;
      plane_addr_q <= plane_addr_d;
      ky_addr_q    <= ky_addr_d;
      kx_addr_q    <= kx_addr_d;
      wy_addr_q    <= wy_addr_d;
      wx_addr_q    <= wx_addr_d;
      row_q        <= row_d;
    end
  end

  assign addr_o           = wx_addr_q + mint_pkg::addr_t'(word_q);
  assign slot_o.in_map    = in_map;
  assign slot_o.tail      = word_q == window_i.words - 1'b1;
  assign slot_o.new_plane = (plane_q != '0) && (ky_q == '0) && (kx_q == '0) && (wy_q == '0) && (wx_q == '0) &&
                            (word_q == '0);
  assign slot_o.last      = plane_last && ky_last && kx_last && wy_last && wx_last && word_last;
  assign slot_o.row       = row_q + (mint_pkg::addr_t'(word_q) << 5);

endmodule
