// The MINT accelerator: memories, registers, controller and the row of processing elements.
// The host reaches registers and memories through one 32-bit port while the core is idle.
module mint_core #(
  parameter int unsigned WeightBits     = 8,
  parameter int unsigned PotentialBits  = 8,
  parameter int unsigned AccBits        = 16,
  parameter int unsigned WeightRows     = 1152,  // rows of 128 weights: 144 KB
  parameter int unsigned SpikeDepthLog2 = 14,    // words of 32 spikes: 64 KB
  parameter int unsigned SumRows        = 512,   // partial sums per lane: 1 KB
  parameter bit          Uq             = 1'b0   // the baseline's processing elements
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        host_we_i,
  input  logic        host_re_i,
  input  logic [2:0]  host_sel_i,
  input  logic [23:0] host_addr_i,
  input  logic [31:0] host_wdata_i,
  output logic [31:0] host_rdata_o,  // one cycle after host_re_i
  output logic        busy_o,

  // Rows of the array: readout accumulators; every stored potential and spike for verification.
  output logic                             row_valid_o,
  output logic [mint_pkg::Lanes-1:0][31:0] row_o,
  output logic [mint_pkg::Lanes-1:0]       row_fired_o
);

  localparam int unsigned RowWords      = mint_pkg::Lanes * WeightBits / 32;
  localparam int unsigned RowIdxWidth   = $clog2(RowWords);
  localparam int unsigned WeightsInWord = 32 / WeightBits;
  localparam int unsigned RowAddrWidth  = $clog2(WeightRows);
  localparam int unsigned SumAddrWidth  = (SumRows > 1) ? $clog2(SumRows) : 1;
  localparam int unsigned ThetaBits     = Uq ? mint_pkg::ScaleWidth : AccBits;

  mint_pkg::config_t cfg;
  mint_pkg::events_t events;
  logic              start, ctrl_busy, row_valid_q;
  logic [31:0]       reg_rdata;
  logic [2:0]        read_sel_q;

  // Weights.
  logic [RowWords-1:0][31:0]                   weight_row;
  logic [mint_pkg::Lanes-1:0][WeightBits-1:0]  weights;
  logic                                        row_read;
  mint_pkg::addr_t                             row_addr;

  mint_ram #(
    .Width(32),
    .Words(RowWords),
    .Depth(WeightRows)
  ) u_weights (
    .clk_i,
    .we_i   (host_we_i && host_sel_i == mint_pkg::SelWeight),
    .waddr_i(RowAddrWidth'(host_addr_i >> RowIdxWidth)),
    .wword_i(host_addr_i[RowIdxWidth-1:0]),
    .wdata_i(host_wdata_i),
    .re_i   (row_read),
    .raddr_i(row_addr[RowAddrWidth-1:0]),
    .rdata_o(weight_row)
  );

  for (genvar i = 0; i < int'(mint_pkg::Lanes); i++) begin : g_weight
    assign weights[i] = weight_row[i / WeightsInWord][(i % WeightsInWord) * WeightBits+:WeightBits];
  end

  // Constants of the tile: the memories' output rows are the lanes' registers.
  logic [mint_pkg::Lanes-1:0][ThetaBits-1:0]            theta;
  logic [mint_pkg::Lanes-1:0][AccBits-1:0]              bias;
  logic [mint_pkg::Lanes-1:0][mint_pkg::ScaleWidth-1:0] multiplier;
  logic                                                 constants_read;
  logic [mint_pkg::TileWidth-1:0]                       tile, host_tile;
  logic [mint_pkg::LaneWidth-1:0]                       host_lane;

  assign host_tile = host_addr_i[mint_pkg::LaneWidth+:mint_pkg::TileWidth];
  assign host_lane = host_addr_i[mint_pkg::LaneWidth-1:0];

  mint_ram #(
    .Width(ThetaBits),
    .Words(mint_pkg::Lanes),
    .Depth(1 << mint_pkg::TileWidth)
  ) u_theta (
    .clk_i,
    .we_i   (host_we_i && host_sel_i == mint_pkg::SelTheta),
    .waddr_i(host_tile),
    .wword_i(host_lane),
    .wdata_i(host_wdata_i[ThetaBits-1:0]),
    .re_i   (constants_read),
    .raddr_i(tile),
    .rdata_o(theta)
  );

  mint_ram #(
    .Width(AccBits),
    .Words(mint_pkg::Lanes),
    .Depth(1 << mint_pkg::TileWidth)
  ) u_bias (
    .clk_i,
    .we_i   (host_we_i && host_sel_i == mint_pkg::SelBias),
    .waddr_i(host_tile),
    .wword_i(host_lane),
    .wdata_i(host_wdata_i[AccBits-1:0]),
    .re_i   (constants_read),
    .raddr_i(tile),
    .rdata_o(bias)
  );

  if (Uq) begin : g_scale
    mint_ram #(
      .Width(mint_pkg::ScaleWidth),
      .Words(mint_pkg::Lanes),
      .Depth(1 << mint_pkg::TileWidth)
    ) u_scale (
      .clk_i,
      .we_i   (host_we_i && host_sel_i == mint_pkg::SelScale),
      .waddr_i(host_tile),
      .wword_i(host_lane),
      .wdata_i(host_wdata_i),
      .re_i   (constants_read),
      .raddr_i(tile),
      .rdata_o(multiplier)
    );
  end else begin : g_no_scale
    assign multiplier = '0;
  end

  // Spikes.
  logic [31:0]               spike_word, written_word;
  logic                      load, word_read, word_write, merge;
  mint_pkg::addr_t           load_addr, word_addr, write_addr;
  logic                      host_spike;
  logic [SpikeDepthLog2-1:0] spike_waddr, spike_raddr;
  mint_pkg::slot_t           slot;

  assign host_spike  = host_sel_i == mint_pkg::SelSpike;
  assign spike_waddr = word_write ? write_addr[SpikeDepthLog2-1:0] : host_addr_i[SpikeDepthLog2-1:0];

  always_comb begin
    spike_raddr = host_addr_i[SpikeDepthLog2-1:0];
    if (load) begin
      spike_raddr = load_addr[SpikeDepthLog2-1:0];
    end else if (word_read) begin
      spike_raddr = word_addr[SpikeDepthLog2-1:0];
    end
  end

  mint_ram #(
    .Width(32),
    .Words(1),
    .Depth(1 << SpikeDepthLog2)
  ) u_spikes (
    .clk_i,
    .we_i   (word_write || (host_we_i && host_spike)),
    .waddr_i(spike_waddr),
    .wword_i(1'b0),
    .wdata_i(word_write ? written_word : host_wdata_i),
    .re_i   ((load && slot.in_map) || word_read || (host_re_i && host_spike)),
    .raddr_i(spike_raddr),
    .rdata_o(spike_word)
  );

  // Control.
  logic                         agu_start, scan_ready, scan_done;
  mint_pkg::addr_t              agu_addr, agu_row;
  mint_pkg::place_t             agu_y, agu_x;
  logic                         clear, bias_valid, shortcut_valid, sum_valid, sum_read, sum_write, drop, step, stepped;
  mint_pkg::addr_t              sum_addr;
  logic [1:0]                   lane_word;
  logic [mint_pkg::LaneWidth:0] lanes;
  logic                         beat_valid, beat_spike, beat_double;

  mint_ctrl u_ctrl (
    .clk_i,
    .rst_ni,
    .loops_i         (cfg.loops),
    .start_i         (start),
    .busy_o          (ctrl_busy),
    .agu_start_o     (agu_start),
    .agu_addr_o      (agu_addr),
    .agu_row_o       (agu_row),
    .agu_y_o         (agu_y),
    .agu_x_o         (agu_x),
    .load_o          (load),
    .slot_last_i     (slot.last),
    .scan_ready_i    (scan_ready),
    .scan_done_i     (scan_done),
    .constants_read_o(constants_read),
    .tile_o          (tile),
    .lanes_o         (lanes),
    .clear_o         (clear),
    .bias_valid_o    (bias_valid),
    .shortcut_valid_o(shortcut_valid),
    .sum_valid_o     (sum_valid),
    .sum_read_o      (sum_read),
    .sum_write_o     (sum_write),
    .sum_addr_o      (sum_addr),
    .drop_o          (drop),
    .step_o          (step),
    .stepped_o       (stepped),
    .lane_word_o     (lane_word),
    .word_read_o     (word_read),
    .word_read_addr_o(word_addr),
    .write_o         (word_write),
    .merge_o         (merge),
    .write_addr_o    (write_addr)
  );

  mint_agu u_agu (
    .clk_i,
    .rst_ni,
    .window_i(cfg.window),
    .start_i (agu_start),
    .addr_i  (agu_addr),
    .row_i   (agu_row),
    .y_i     (agu_y),
    .x_i     (agu_x),
    .next_i  (load),
    .slot_o  (slot),
    .addr_o  (load_addr)
  );

  mint_scan u_scan (
    .clk_i,
    .rst_ni,
    .zero_skip_i  (cfg.zero_skip),
    .tail_bits_i  (cfg.tail_bits),
    .load_i       (load),
    .slot_i       (slot),
    .word_i       (spike_word),
    .ready_o      (scan_ready),
    .done_o       (scan_done),
    .row_read_o   (row_read),
    .row_o        (row_addr),
    .beat_valid_o (beat_valid),
    .beat_spike_o (beat_spike),
    .beat_double_o(beat_double)
  );

  // What is added lane by lane beside partial sums: a bias, or the constant of each lane with a shortcut's spike.
  logic [mint_pkg::Lanes-1:0] fired, saturated, shortcut;

  for (genvar i = 0; i < int'(mint_pkg::LaneWords); i++) begin : g_shortcut
    assign shortcut[32*i+:32] = (shortcut_valid && lane_word == 2'(i)) ? spike_word : '0;
  end

  mint_array #(
    .WeightBits   (WeightBits),
    .PotentialBits(PotentialBits),
    .AccBits      (AccBits),
    .SumRows      (SumRows),
    .Uq           (Uq)
  ) u_array (
    .clk_i,
    .rst_ni,
    .clear_i      (clear),
    .acc_valid_i  (beat_valid),
    .acc_double_i (beat_double),
    .spike_i      (beat_spike),
    .weights_i    (weights),
    .bias_valid_i (shortcut | {mint_pkg::Lanes{bias_valid}}),
    .bias_i       (bias),
    .sum_valid_i  (sum_valid),
    .sum_read_i   (sum_read),
    .sum_write_i  (sum_write),
    .sum_addr_i   (sum_addr[SumAddrWidth-1:0]),
    .drop_i       (drop),
    .lif_valid_i  (step && !cfg.loops.phases.readout),
    .rules_i      (cfg.lif),
    .theta_i      (theta),
    .multiplier_i (multiplier),
    .fired_o      (fired),
    .saturated_o  (saturated),
    .row_capture_i(stepped),
    .row_readout_i(cfg.loops.phases.readout),
    .row_o        (row_o),
    .row_fired_o  (row_fired_o)
  );

  assign written_word = fired[32*lane_word+:32] | (merge ? spike_word : '0);

  // Counters: what happened in this cycle. Idle lanes of the last tile never fire, saturate nor take a shortcut.
  always_comb begin
    events            = '0;
    events.busy       = ctrl_busy;
    events.accumulate = beat_valid && beat_spike;
    events.row_read   = row_read;
    events.word_read  = (load && slot.in_map) || (word_read && !(step || word_write));
    events.word_merge = word_read && (step || word_write);
    events.word_write = word_write;
    events.bias       = bias_valid;
    events.shortcuts  = 8'($countones(shortcut));
    events.sum_read   = sum_read;
    events.sum_write  = sum_write;
    events.step       = step;
    events.stepped    = stepped && !cfg.loops.phases.readout;
    events.lanes      = lanes;
    if (events.stepped) begin
      events.fires       = 8'($countones(fired));
      events.saturations = 8'($countones(saturated));
    end
  end

  mint_regs u_regs (
    .clk_i,
    .rst_ni,
    .we_i    (host_we_i && host_sel_i == mint_pkg::SelReg),
    .re_i    (host_re_i && host_sel_i == mint_pkg::SelReg),
    .addr_i  (host_addr_i[7:0]),
    .wdata_i (host_wdata_i),
    .rdata_o (reg_rdata),
    .cfg_o   (cfg),
    .start_o (start),
    .busy_i  (busy_o),
    .events_i(events)
  );

  // Addresses are wider than the memories of this build; the host keeps within them.
  logic unused_addr;
  assign unused_addr = ^{row_addr, load_addr, word_addr, write_addr, sum_addr};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      row_valid_q <= 1'b0;
      read_sel_q  <= '0;
    end else begin
      row_valid_q <= stepped;
      if (host_re_i) begin
        read_sel_q <= host_sel_i;
      end
    end
  end

  assign host_rdata_o = (read_sel_q == mint_pkg::SelSpike) ? spike_word : reg_rdata;
  assign row_valid_o  = row_valid_q;
  assign busy_o       = start || ctrl_busy || stepped || row_valid_q;

endmodule
