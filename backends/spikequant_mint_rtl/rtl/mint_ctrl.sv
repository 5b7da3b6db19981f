// Controller: tile > oy > ox > t, and within a timestep: sum up, add what was kept, then end it.
// One run is one pass. A pass ends a timestep with a LIF step (or a readout's row) and the write-back of
// spikes, or by storing a partial sum for a later pass over the same outputs.
module mint_ctrl (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  mint_pkg::loops_t     loops_i,
  input  logic                 start_i,
  output logic                 busy_o,

  // Address generator and scanner.
  output logic                 agu_start_o,
  output mint_pkg::addr_t      agu_addr_o,
  output mint_pkg::addr_t      agu_row_o,
  output mint_pkg::place_t     agu_y_o,
  output mint_pkg::place_t     agu_x_o,
  output logic                 load_o,
  input  logic                 slot_last_i,
  input  logic                 scan_ready_i,
  input  logic                 scan_done_i,

  // Array and scratchpads.
  output logic                 constants_read_o,
  output logic [mint_pkg::TileWidth-1:0] tile_o,
  output logic [mint_pkg::LaneWidth:0]   lanes_o,
  output logic                 clear_o,
  output logic                 bias_valid_o,
  output logic                 shortcut_valid_o,  // the word read before holds a spike for each lane of lane_word_o
  output logic                 sum_valid_o,
  output logic                 sum_read_o,
  output logic                 sum_write_o,
  output mint_pkg::addr_t      sum_addr_o,
  output logic                 drop_o,
  output logic                 step_o,       // end of a timestep: LIF step, or a readout's row is complete
  output logic                 stepped_o,    // registered: the row of this timestep is in the array

  // Words of spikes, lane by lane: a shortcut's are read, those of fired lanes are written.
  output logic [1:0]           lane_word_o,
  output logic                 word_read_o,
  output mint_pkg::addr_t      word_read_addr_o,
  output logic                 write_o,
  output logic                 merge_o,      // the word to be written is joined with the one read before
  output mint_pkg::addr_t      write_addr_o
);

  typedef enum logic [3:0] {Idle, Tile, Pixel, Start, Run, Drain, Lanes, Sum, Bias, Hold, Store, Lif, Write} state_e;

  state_e             state_q, state_d;
  mint_pkg::count_t   tile_q, tile_d, oy_q, oy_d, ox_q, ox_d, t_q, t_d;
  mint_pkg::count_t   pool_y_q, pool_y_d, pool_x_q, pool_x_d, dst_y_q, dst_y_d, dst_x_q, dst_x_d;
  mint_pkg::addr_t    oy_addr_q, oy_addr_d, ox_addr_q, ox_addr_d, t_addr_q, t_addr_d;
  mint_pkg::addr_t    row_q, row_d, dst_tile_q, dst_tile_d, dst_oy_q, dst_oy_d, dst_ox_q, dst_ox_d, dst_t_q, dst_t_d;
  mint_pkg::addr_t    sum_q, sum_d;
  mint_pkg::place_t   y_q, y_d, x_q, x_d;
  logic [1:0]         word_q, word_d, word_last;
  logic               issued_q, issued_d, stepped_q;
  logic               tile_last, oy_last, ox_last, t_last, timestep_done, kept, in_dst, pool_x_last, pool_y_last;
  state_e             after_taps, after_sum, after_bias, last_state;

  assign tile_last   = tile_q == loops_i.tiles - 1'b1;
  assign oy_last     = oy_q == loops_i.out_height - 1'b1;
  assign ox_last     = ox_q == loops_i.out_width - 1'b1;
  assign t_last      = t_q == loops_i.timesteps - 1'b1;
  assign pool_y_last = pool_y_q == loops_i.pool_height - 1'b1;
  assign pool_x_last = pool_x_q == loops_i.pool_width - 1'b1;
  assign lanes_o     = tile_last ? loops_i.last_lanes[mint_pkg::LaneWidth:0] : 8'(mint_pkg::Lanes);
  assign word_last   = 2'((lanes_o - 1'b1) >> 5);

  // The sum of timestep 0 serves this one.
  assign kept = loops_i.phases.hold && t_q != '0;
  // Pixels of a window that pooling cuts off at the border are computed, but not written.
  assign in_dst = dst_y_q < loops_i.dst_height && dst_x_q < loops_i.dst_width;

  // What follows the taps.
  assign last_state = loops_i.phases.store ? Store : Lif;
  assign after_bias = loops_i.phases.hold ? Hold : last_state;
  assign after_sum  = loops_i.phases.bias ? Bias : after_bias;
  assign after_taps = loops_i.phases.load ? Sum : after_sum;

  always_comb begin
    state_d       = state_q;
    issued_d      = issued_q;
    word_d        = word_q;
    timestep_done = 1'b0;
    load_o        = 1'b0;
    unique case (state_q)
      Idle:  if (start_i) state_d = Tile;
      Tile:  state_d = Pixel;
      Pixel: state_d = Start;
      Start: begin
        issued_d = 1'b0;
        word_d   = '0;
        if (kept)                      state_d = Sum;
        else if (loops_i.phases.lanes) state_d = Lanes;
        else                           state_d = Run;
      end
      Run: begin
        load_o = scan_ready_i && !issued_q;
        if (load_o && slot_last_i) issued_d = 1'b1;
        if (scan_done_i) state_d = Drain;
      end
      Drain: state_d = after_taps;
      Lanes: begin
        word_d = word_q + 1'b1;
        if (word_q == word_last) state_d = after_taps;
      end
      Sum:   state_d = kept ? Lif : after_sum;
      Bias:  state_d = after_bias;
      Hold:  state_d = last_state;
      Store: timestep_done = 1'b1;
      Lif: begin
        word_d = '0;
        if (loops_i.phases.readout || !in_dst) timestep_done = 1'b1;
        else                                   state_d = Write;
      end
      Write: begin
        word_d        = word_q + 1'b1;
        timestep_done = word_q == word_last;
      end
      default: state_d = Idle;
    endcase
    if (timestep_done) begin
      if (!t_last)                     state_d = Start;
      else if (!(ox_last && oy_last))  state_d = Pixel;
      else if (!tile_last)             state_d = Tile;
      else                             state_d = Idle;
    end
  end

  // Loop counters and the addresses that follow them; every stride is a register, nothing multiplies.
  always_comb begin
    tile_d     = tile_q;
    oy_d       = oy_q;
    ox_d       = ox_q;
    t_d        = t_q;
    oy_addr_d  = oy_addr_q;
    ox_addr_d  = ox_addr_q;
    t_addr_d   = t_addr_q;
    row_d      = row_q;
    y_d        = y_q;
    x_d        = x_q;
    sum_d      = sum_q;
    if (state_q == Idle) begin
      tile_d = '0;
      row_d  = loops_i.row_base;
    end else if (state_q == Tile) begin
      oy_d      = '0;
      ox_d      = '0;
      t_d       = '0;
      oy_addr_d = loops_i.src_origin;
      ox_addr_d = loops_i.src_origin;
      t_addr_d  = loops_i.src_origin;
      y_d       = loops_i.origin_y;
      x_d       = loops_i.origin_x;
      sum_d     = loops_i.sum_base;
    end else if (timestep_done) begin
      if (!loops_i.phases.hold || (t_last && loops_i.phases.load)) begin
        sum_d = sum_q + 1'b1;
      end
      if (!t_last) begin
        t_d      = t_q + 1'b1;
        t_addr_d = t_addr_q + loops_i.src_time_stride;
      end else begin
        t_d = '0;
        if (!ox_last) begin
          ox_d      = ox_q + 1'b1;
          ox_addr_d = ox_addr_q + loops_i.src_out_x_stride;
          x_d       = x_q + $signed({2'b0, loops_i.stride_x});
        end else if (!oy_last) begin
          ox_d      = '0;
          oy_d      = oy_q + 1'b1;
          oy_addr_d = oy_addr_q + loops_i.src_out_y_stride;
          ox_addr_d = oy_addr_d;
          x_d       = loops_i.origin_x;
          y_d       = y_q + $signed({2'b0, loops_i.stride_y});
        end else begin
          tile_d = tile_q + 1'b1;
          row_d  = row_q + loops_i.tile_rows;
        end
        t_addr_d = ox_addr_d;
      end
    end
  end

  // Where spikes go: a destination pixel is a window of output pixels.
  always_comb begin
    dst_tile_d = dst_tile_q;
    dst_oy_d   = dst_oy_q;
    dst_ox_d   = dst_ox_q;
    dst_t_d    = dst_t_q;
    dst_y_d    = dst_y_q;
    dst_x_d    = dst_x_q;
    pool_y_d   = pool_y_q;
    pool_x_d   = pool_x_q;
    if (state_q == Idle) begin
      dst_tile_d = loops_i.dst_base;
    end else if (state_q == Tile) begin
      dst_oy_d = dst_tile_q;
      dst_ox_d = dst_tile_q;
      dst_t_d  = dst_tile_q;
      dst_y_d  = '0;
      dst_x_d  = '0;
      pool_y_d = '0;
      pool_x_d = '0;
    end else if (timestep_done && !t_last) begin
      dst_t_d = dst_t_q + loops_i.dst_time_stride;
    end else if (timestep_done) begin
      pool_x_d = pool_x_q + 1'b1;
      if (pool_x_last) begin
        pool_x_d = '0;
        dst_x_d  = dst_x_q + 1'b1;
        dst_ox_d = dst_ox_q + loops_i.dst_words;
      end
      if (ox_last) begin
        pool_x_d = '0;
        dst_x_d  = '0;
        pool_y_d = pool_y_q + 1'b1;
        if (pool_y_last) begin
          pool_y_d = '0;
          dst_y_d  = dst_y_q + 1'b1;
          dst_oy_d = dst_oy_q + loops_i.dst_row_stride;
        end
        dst_ox_d = dst_oy_d;
        if (oy_last) begin
          dst_tile_d = dst_tile_q + mint_pkg::addr_t'(mint_pkg::LaneWords);
        end
      end
      dst_t_d = dst_ox_d;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= Idle;
      issued_q   <= 1'b0;
      stepped_q  <= 1'b0;
      word_q     <= '0;
      tile_q     <= '0;
      oy_q       <= '0;
      ox_q       <= '0;
      t_q        <= '0;
      oy_addr_q  <= '0;
      ox_addr_q  <= '0;
      t_addr_q   <= '0;
      row_q      <= '0;
      y_q        <= '0;
      x_q        <= '0;
      sum_q      <= '0;
      dst_tile_q <= '0;
      dst_oy_q   <= '0;
      dst_ox_q   <= '0;
      dst_t_q    <= '0;
      dst_y_q    <= '0;
      dst_x_q    <= '0;
      pool_y_q   <= '0;
      pool_x_q   <= '0;
    end else begin
      state_q    <= state_d;
      issued_q   <= issued_d;
      stepped_q  <= state_q == Lif;
      word_q     <= word_d;
      tile_q     <= tile_d;
      oy_q       <= oy_d;
      ox_q       <= ox_d;
      t_q        <= t_d;
      oy_addr_q  <= oy_addr_d;
      ox_addr_q  <= ox_addr_d;
      t_addr_q   <= t_addr_d;
      row_q      <= row_d;
      y_q        <= y_d;
      x_q        <= x_d;
      sum_q      <= sum_d;
      dst_tile_q <= dst_tile_d;
      dst_oy_q   <= dst_oy_d;
      dst_ox_q   <= dst_ox_d;
      dst_t_q    <= dst_t_d;
      dst_y_q    <= dst_y_d;
      dst_x_q    <= dst_x_d;
      pool_y_q   <= pool_y_d;
      pool_x_q   <= pool_x_d;
    end
  end

  assign busy_o           = state_q != Idle;
  assign agu_start_o      = state_q == Start;
  assign agu_addr_o       = t_addr_q;
  assign agu_row_o        = row_q;
  assign agu_y_o          = y_q;
  assign agu_x_o          = x_q;
  assign constants_read_o = state_q == Tile;
  assign tile_o           = loops_i.tile_base + tile_q[mint_pkg::TileWidth-1:0];
  assign clear_o          = state_q == Pixel;
  assign bias_valid_o     = state_q == Bias;
  assign shortcut_valid_o = state_q == Lanes;
  assign sum_valid_o      = state_q == Sum;
  assign sum_read_o       = state_q == Start && (loops_i.phases.load || kept);
  assign sum_write_o      = state_q == Hold || state_q == Store;
  assign sum_addr_o       = sum_q;
  assign drop_o           = state_q == Store;
  assign step_o           = state_q == Lif;
  assign stepped_o        = stepped_q;

  // One word ahead: of a shortcut, or of the destination when its window was written before.
  assign lane_word_o  = word_q;
  assign merge_o      = pool_y_q != '0 || pool_x_q != '0;
  assign write_o      = state_q == Write;
  assign write_addr_o = dst_t_q + mint_pkg::addr_t'(word_q);

  always_comb begin
    word_read_o      = 1'b0;
    word_read_addr_o = t_addr_q;
    unique case (state_q)
      Start: word_read_o = loops_i.phases.lanes && !kept;
      Lanes: begin
        word_read_o      = word_q != word_last;
        word_read_addr_o = t_addr_q + mint_pkg::addr_t'(word_q) + 1'b1;
      end
      Lif: begin
        word_read_o      = merge_o && in_dst && !loops_i.phases.readout;
        word_read_addr_o = dst_t_q;
      end
      Write: begin
        word_read_o      = merge_o && word_q != word_last;
        word_read_addr_o = dst_t_q + mint_pkg::addr_t'(word_q) + 1'b1;
      end
      default: ;
    endcase
  end

endmodule
