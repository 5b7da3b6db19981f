// Register file: the configuration of a run, start and busy, and the read-only counters.
module mint_regs (
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                we_i,
  input  logic                re_i,
  input  logic [7:0]          addr_i,
  input  logic [31:0]         wdata_i,
  output logic [31:0]         rdata_o,

  output mint_pkg::config_t   cfg_o,
  output logic                start_o,
  input  logic                busy_i,
  input  mint_pkg::events_t   events_i
);

  mint_pkg::config_t cfg_q;
  logic              start_q, clear;
  logic [mint_pkg::NumCounters-1:0][63:0] counter_q, counter_d;
  logic [7:0]        counter_addr;
  logic [31:0]       rdata_q;

  // No register is wider than an address.
  logic unused_wdata;
  assign unused_wdata = ^wdata_i[31:mint_pkg::AddrWidth];

  assign clear        = we_i && (addr_i == mint_pkg::RegCommand) && wdata_i[1];
  assign counter_addr = addr_i - mint_pkg::RegCounters;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cfg_q   <= '0;
      start_q <= 1'b0;
    end else begin
      start_q <= 1'b0;
      if (we_i) begin
        unique case (addr_i)
          mint_pkg::RegCommand:        start_q <= wdata_i[0];
          mint_pkg::RegFlags: begin
            cfg_q.zero_skip            <= wdata_i[0];
            cfg_q.loops.phases.readout <= wdata_i[1];
            cfg_q.loops.phases.bias    <= wdata_i[2];
            cfg_q.lif.leak_on_store    <= wdata_i[3];
            cfg_q.lif.leak_toward_zero <= wdata_i[4];
            cfg_q.lif.reset_subtract   <= wdata_i[5];
            cfg_q.lif.leak_shift       <= wdata_i[8+:mint_pkg::ShiftWidth];
            cfg_q.loops.phases.lanes   <= wdata_i[12];
            cfg_q.loops.phases.load    <= wdata_i[13];
            cfg_q.loops.phases.hold    <= wdata_i[14];
            cfg_q.loops.phases.store   <= wdata_i[15];
            cfg_q.lif.fraction         <= wdata_i[16+:mint_pkg::FractionWidth];
          end
          mint_pkg::RegTimesteps:       cfg_q.loops.timesteps         <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegPlanes:          cfg_q.window.planes           <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegTiles:           cfg_q.loops.tiles             <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegLastLanes:       cfg_q.loops.last_lanes        <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegOutHeight:       cfg_q.loops.out_height        <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegOutWidth:        cfg_q.loops.out_width         <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegInHeight:        cfg_q.window.in_height        <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegInWidth:         cfg_q.window.in_width         <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegKernelHeight:    cfg_q.window.kernel_height    <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegKernelWidth:     cfg_q.window.kernel_width     <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegStrideY:         cfg_q.loops.stride_y          <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegStrideX:         cfg_q.loops.stride_x          <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegOriginY:         cfg_q.loops.origin_y          <= mint_pkg::place_t'(wdata_i);
          mint_pkg::RegOriginX:         cfg_q.loops.origin_x          <= mint_pkg::place_t'(wdata_i);
          mint_pkg::RegChannels:        cfg_q.window.channels         <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegWords:           cfg_q.window.words            <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegTailBits:        cfg_q.tail_bits               <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegWindowHeight:    cfg_q.window.window_height    <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegWindowWidth:     cfg_q.window.window_width     <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegSrcOrigin:       cfg_q.loops.src_origin        <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcRowStride:    cfg_q.window.src_row_stride   <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcTapYStride:   cfg_q.window.src_tap_y_stride <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcTapXStride:   cfg_q.window.src_tap_x_stride <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcPlaneStride:  cfg_q.window.src_plane_stride <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcTimeStride:   cfg_q.loops.src_time_stride   <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcOutXStride:   cfg_q.loops.src_out_x_stride  <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSrcOutYStride:   cfg_q.loops.src_out_y_stride  <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegDstBase:         cfg_q.loops.dst_base          <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegDstWords:        cfg_q.loops.dst_words         <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegDstRowStride:    cfg_q.loops.dst_row_stride    <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegDstTimeStride:   cfg_q.loops.dst_time_stride   <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegDstHeight:       cfg_q.loops.dst_height        <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegDstWidth:        cfg_q.loops.dst_width         <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegPoolHeight:      cfg_q.loops.pool_height       <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegPoolWidth:       cfg_q.loops.pool_width        <= mint_pkg::count_t'(wdata_i);
          mint_pkg::RegTileRows:        cfg_q.loops.tile_rows         <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegRowBase:         cfg_q.loops.row_base          <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegSumBase:         cfg_q.loops.sum_base          <= mint_pkg::addr_t'(wdata_i);
          mint_pkg::RegTileBase:        cfg_q.loops.tile_base         <= wdata_i[mint_pkg::TileWidth-1:0];
          default: ;
        endcase
      end
    end
  end

  // Counters, in the order of the register map.
  always_comb begin
    counter_d = counter_q;
    counter_d[0] = counter_q[0] + 64'(events_i.busy);
    counter_d[1] = counter_q[1] + 64'(events_i.accumulate);
    counter_d[3] = counter_q[3] + 64'(events_i.row_read);
    counter_d[4] = counter_q[4] + 64'(events_i.word_read);
    counter_d[5] = counter_q[5] + 64'(events_i.word_write);
    counter_d[6] = counter_q[6] + 64'(events_i.word_merge);
    counter_d[8] = counter_q[8] + 64'(events_i.shortcuts);
    counter_d[9] = counter_q[9] + 64'(events_i.sum_read);
    counter_d[10] = counter_q[10] + 64'(events_i.sum_write);
    if (events_i.accumulate) begin
      counter_d[2] = counter_q[2] + 64'(events_i.lanes);
    end
    if (events_i.bias) begin
      counter_d[7] = counter_q[7] + 64'(events_i.lanes);
    end
    if (events_i.step) begin
      counter_d[11] = counter_q[11] + 64'(events_i.lanes);
    end
    if (events_i.stepped) begin
      counter_d[12] = counter_q[12] + 64'(events_i.fires);
      counter_d[13] = counter_q[13] + 64'(events_i.saturations);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      counter_q <= '0;
    end else if (clear) begin
      counter_q <= '0;
    end else begin
      counter_q <= counter_d;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rdata_q <= '0;
    end else if (re_i) begin
      if (addr_i == mint_pkg::RegCommand) begin
        rdata_q <= 32'(busy_i);
      end else if (counter_addr < 8'(2 * mint_pkg::NumCounters)) begin
        rdata_q <= counter_q[counter_addr[4:1]][32*counter_addr[0]+:32];
      end else begin
        rdata_q <= '0;
      end
    end
  end

  assign cfg_o   = cfg_q;
  assign start_o = start_q;
  assign rdata_o = rdata_q;

endmodule
