// All sizes, register addresses and shared types of the MINT accelerator.
package mint_pkg;

  parameter int unsigned Lanes       = 128;  // processing elements in the row
  parameter int unsigned WordWidth   = 32;   // spikes in one memory word, and the host's data width
  parameter int unsigned LaneWords   = Lanes / WordWidth;
  parameter int unsigned CountWidth  = 16;   // loop counters: sizes up to 65535
  parameter int unsigned PlaceWidth  = 18;   // positions on a map: signed, negative in the padding
  parameter int unsigned AddrWidth   = 24;   // word addresses of every memory
  parameter int unsigned TileWidth   = 6;    // up to 64 tiles of 128 outputs in one run
  parameter int unsigned LaneWidth   = 7;
  parameter int unsigned ShiftWidth  = 4;    // leak shift 0..15
  parameter int unsigned FractionWidth  = 5;   // fraction bits of the baseline's multiplier, 0..31
  parameter int unsigned ScaleWidth     = 32;  // the baseline's multiplier, threshold and H
  parameter int unsigned NumCounters = 14;

  typedef logic [CountWidth-1:0]        count_t;
  typedef logic [AddrWidth-1:0]         addr_t;
  typedef logic signed [PlaceWidth-1:0] place_t;

  // What a host access addresses.
  parameter logic [2:0] SelReg    = 3'd0;
  parameter logic [2:0] SelWeight = 3'd1;  // {row, word in row}
  parameter logic [2:0] SelTheta  = 3'd2;  // {tile, lane}
  parameter logic [2:0] SelBias   = 3'd3;  // {tile, lane}
  parameter logic [2:0] SelSpike  = 3'd4;  // word
  parameter logic [2:0] SelScale  = 3'd5;  // {tile, lane}; baseline only

  // Register addresses.
  parameter logic [7:0] RegCommand        = 8'd0;  // write: bit 0 start, bit 1 clear counters; read: bit 0 busy
  parameter logic [7:0] RegFlags          = 8'd1;
  parameter logic [7:0] RegTimesteps      = 8'd2;
  parameter logic [7:0] RegPlanes         = 8'd3;
  parameter logic [7:0] RegTiles          = 8'd4;
  parameter logic [7:0] RegLastLanes      = 8'd5;
  parameter logic [7:0] RegOutHeight      = 8'd6;
  parameter logic [7:0] RegOutWidth       = 8'd7;
  parameter logic [7:0] RegInHeight       = 8'd8;
  parameter logic [7:0] RegInWidth        = 8'd9;
  parameter logic [7:0] RegKernelHeight   = 8'd10;
  parameter logic [7:0] RegKernelWidth    = 8'd11;
  parameter logic [7:0] RegStrideY        = 8'd12;
  parameter logic [7:0] RegStrideX        = 8'd13;
  parameter logic [7:0] RegOriginY        = 8'd14;  // signed: map row of tap (0, 0) of output (0, 0)
  parameter logic [7:0] RegOriginX        = 8'd15;
  parameter logic [7:0] RegChannels       = 8'd16;
  parameter logic [7:0] RegWords          = 8'd17;
  parameter logic [7:0] RegTailBits       = 8'd18;
  parameter logic [7:0] RegWindowHeight   = 8'd19;  // sum pooling: positions that share one tap
  parameter logic [7:0] RegWindowWidth    = 8'd20;
  parameter logic [7:0] RegSrcOrigin      = 8'd21;
  parameter logic [7:0] RegSrcRowStride   = 8'd22;
  parameter logic [7:0] RegSrcTapYStride  = 8'd23;
  parameter logic [7:0] RegSrcTapXStride  = 8'd24;
  parameter logic [7:0] RegSrcPlaneStride = 8'd25;
  parameter logic [7:0] RegSrcTimeStride  = 8'd26;
  parameter logic [7:0] RegSrcOutXStride  = 8'd27;
  parameter logic [7:0] RegSrcOutYStride  = 8'd28;
  parameter logic [7:0] RegDstBase        = 8'd29;
  parameter logic [7:0] RegDstWords       = 8'd30;
  parameter logic [7:0] RegDstRowStride   = 8'd31;
  parameter logic [7:0] RegDstTimeStride  = 8'd32;
  parameter logic [7:0] RegDstHeight      = 8'd33;
  parameter logic [7:0] RegDstWidth       = 8'd34;
  parameter logic [7:0] RegPoolHeight     = 8'd35;  // OR pooling at write-back
  parameter logic [7:0] RegPoolWidth      = 8'd36;
  parameter logic [7:0] RegTileRows       = 8'd37;
  parameter logic [7:0] RegRowBase        = 8'd38;
  parameter logic [7:0] RegTileBase       = 8'd39;
  parameter logic [7:0] RegSumBase        = 8'd40;  // first row of the scratchpads
  parameter logic [7:0] RegCounters       = 8'd64;  // pairs: low word, high word

  // Rules of the LIF unit, fixed during a run.
  typedef struct packed {
    logic [FractionWidth-1:0] fraction;  // baseline only
    logic [ShiftWidth-1:0]    leak_shift;
    logic                     reset_subtract;
    logic                     leak_toward_zero;
    logic                     leak_on_store;
  } lif_rules_t;

  // What the address generator walks through in one timestep of one output pixel.
  typedef struct packed {
    count_t planes;
    count_t in_height, in_width;
    count_t kernel_height, kernel_width;
    count_t window_height, window_width;
    count_t channels, words;
    addr_t  src_row_stride, src_tap_y_stride, src_tap_x_stride, src_plane_stride;
  } window_t;

  // How a pass begins and ends a timestep.
  typedef struct packed {
    logic lanes;    // source words are added lane by lane (identity shortcut) instead of broadcast
    logic load;     // add the partial sum of an earlier pass
    logic bias;
    logic hold;     // the input does not change: keep the sum of timestep 0 for all others
    logic store;    // end by storing a partial sum instead of a LIF step
    logic readout;  // end without a LIF step; the accumulators are the result
  } phases_t;

  // What the controller loops over.
  typedef struct packed {
    phases_t phases;
    count_t  timesteps, tiles, last_lanes;
    count_t  out_height, out_width;
    count_t  stride_y, stride_x;
    place_t  origin_y, origin_x;
    addr_t   row_base, tile_rows, sum_base;
    logic [TileWidth-1:0] tile_base;
    addr_t   src_origin, src_time_stride, src_out_x_stride, src_out_y_stride;
    addr_t   dst_base, dst_words, dst_row_stride, dst_time_stride;
    count_t  dst_height, dst_width;
    count_t  pool_height, pool_width;
  } loops_t;

  typedef struct packed {
    lif_rules_t lif;
    window_t    window;
    loops_t     loops;
    logic       zero_skip;
    count_t     tail_bits;
  } config_t;

  // One word of spikes on its way from the address generator to the scanner.
  typedef struct packed {
    logic  in_map;      // the tap lies within the map
    logic  tail;        // last word of its pixel
    logic  new_plane;   // first word of a bit-plane but the first plane
    logic  last;        // last word of the timestep
    addr_t row;         // weight row of the word's bit 0
  } slot_t;

  // What happened in one cycle, for the counters.
  typedef struct packed {
    logic               busy;
    logic               accumulate;
    logic               row_read;
    logic               word_read;
    logic               word_write;
    logic               word_merge;  // a word read to be joined by OR
    logic               bias;
    logic [LaneWidth:0] shortcuts;   // lanes in which a shortcut's spike added
    logic               sum_read;
    logic               sum_write;
    logic               step;
    logic               stepped;     // one cycle after a LIF step: fires and saturations are valid
    logic [LaneWidth:0] lanes;
    logic [LaneWidth:0] fires;
    logic [LaneWidth:0] saturations;
  } events_t;

endpackage
