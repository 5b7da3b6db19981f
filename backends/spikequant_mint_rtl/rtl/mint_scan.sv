// Scanner: turns words of spikes into beats, one per cycle.
// Zero-skipping: one beat per set bit, one for an empty word. Dense: one beat per channel.
module mint_scan (
  input  logic                           clk_i,
  input  logic                           rst_ni,

  input  logic                           zero_skip_i,
  input  mint_pkg::count_t               tail_bits_i,

  input  logic                           load_i,    // a slot's word is read in this cycle
  input  mint_pkg::slot_t                slot_i,
  input  logic [mint_pkg::WordWidth-1:0] word_i,    // valid from the next cycle until the next load
  output logic                           ready_o,   // a slot can be loaded in this cycle
  output logic                           done_o,    // the last beat of the timestep is issued in this cycle

  output logic                           row_read_o,
  output mint_pkg::addr_t                row_o,
  output logic                           beat_valid_o,   // registered: aligned with the row's data
  output logic                           beat_spike_o,
  output logic                           beat_double_o
);

  mint_pkg::slot_t                slot_q;
  logic                           valid_q, fresh_q;
  logic [mint_pkg::WordWidth-1:0] rest_q, word, rest, lowest;
  logic [4:0]                     pos_q, pos, index, beat_bit, bit_last;
  logic                           spike, word_done;

  always_comb begin
    word = fresh_q ? word_i : rest_q;
    if (!slot_q.in_map) begin
      word = '0;
    end
  end

  assign lowest   = word & (~word + 1'b1);
  assign rest     = word ^ lowest;
  assign index    = {|(lowest & 32'hffff_0000), |(lowest & 32'hff00_ff00), |(lowest & 32'hf0f0_f0f0),
                     |(lowest & 32'hcccc_cccc), |(lowest & 32'haaaa_aaaa)};
  assign pos      = fresh_q ? '0 : pos_q;
  assign bit_last = slot_q.tail ? 5'(tail_bits_i - 1'b1) : 5'd31;

  assign spike      = zero_skip_i ? (word != '0) : word[pos];
  assign word_done  = zero_skip_i ? (rest == '0) : (!slot_q.in_map || pos == bit_last);
  assign row_read_o = valid_q && (zero_skip_i ? spike : slot_q.in_map);
  assign beat_bit   = zero_skip_i ? index : pos;
  assign row_o      = slot_q.row + mint_pkg::addr_t'(beat_bit);
  assign ready_o    = !valid_q || word_done;
  assign done_o     = valid_q && word_done && slot_q.last;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q       <= 1'b0;
      fresh_q       <= 1'b0;
      slot_q        <= '0;
      rest_q        <= '0;
      pos_q         <= '0;
      beat_valid_o  <= 1'b0;
      beat_spike_o  <= 1'b0;
      beat_double_o <= 1'b0;
    end else begin
      beat_valid_o  <= valid_q;
      beat_spike_o  <= valid_q && spike;
      beat_double_o <= valid_q && fresh_q && slot_q.new_plane;
      fresh_q       <= load_i;
      pos_q         <= pos + 1'b1;
      rest_q        <= zero_skip_i ? rest : word;
      if (load_i) begin
        valid_q <= 1'b1;
        slot_q  <= slot_i;
      end else if (word_done) begin
        valid_q <= 1'b0;
      end
    end
  end

endmodule
