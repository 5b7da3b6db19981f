// mint_pe against a specification written independently: 32-bit integers, division instead of shift
// tricks, explicit clamp. Proven for all time by k-induction over the equal-state assertion.
module mint_pe_check #(
  parameter WeightBits = 8,
  parameter PotentialBits = 8,
  parameter AccBits = 21
) (
  input clk_i,
  input rst_ni,
  input clear_i,
  input acc_valid_i,
  input acc_double_i,
  input spike_i,
  input signed [WeightBits-1:0] weight_i,
  input add_valid_i,
  input signed [AccBits-1:0] addend_i,
  input drop_i,
  input lif_valid_i,
  input [4:0] fraction_i,
  input [3:0] shift_i,
  input subtract_i,
  input toward_zero_i,
  input on_store_i,
  input signed [AccBits-1:0] theta_i
);
  wire fired, saturated;
  wire signed [AccBits-1:0] acc;
  wire signed [PotentialBits-1:0] potential;

  mint_pe #(
    .WeightBits(WeightBits),
    .PotentialBits(PotentialBits),
    .AccBits(AccBits)
  ) u_pe (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .clear_i(clear_i),
    .acc_valid_i(acc_valid_i),
    .acc_double_i(acc_double_i),
    .spike_i(spike_i),
    .weight_i(weight_i),
    .add_valid_i(add_valid_i),
    .addend_i(addend_i),
    .drop_i(drop_i),
    .lif_valid_i(lif_valid_i),
    .rules_i({fraction_i, shift_i, subtract_i, toward_zero_i, on_store_i}),
    .theta_i(theta_i),
    .fired_o(fired),
    .saturated_o(saturated),
    .acc_o(acc),
    .potential_o(potential)
  );

  localparam signed [31:0] TOP = (1 << (PotentialBits - 1)) - 1;
  localparam signed [31:0] LOW = -(1 << (AccBits - 1));
  localparam signed [31:0] HIGH = (1 << (AccBits - 1)) - 1;

  // value / 2**shift, rounded to minus infinity or to zero, on the magnitude
  function automatic signed [31:0] leaked(input signed [31:0] value, input [3:0] shift, input to_zero);
    if (value >= 0) leaked = value >> shift;
    else if (to_zero) leaked = -((-value) >> shift);
    else leaked = -((-value + (1 << shift) - 1) >> shift);
  endfunction

  reg signed [31:0] spec_acc, spec_u;
  reg spec_fired, spec_saturated;
  reg started = 0;
  reg signed [31:0] next_acc, h, after, kept;

  always @* begin
    next_acc = spec_acc;
    if (clear_i || drop_i || lif_valid_i) next_acc = 0;
    if (add_valid_i) next_acc = spec_acc + addend_i;
    if (acc_valid_i) next_acc = spec_acc + (acc_double_i ? spec_acc : 0) + (spike_i ? weight_i : 0);
    h = spec_acc + (on_store_i ? spec_u : leaked(spec_u, shift_i, toward_zero_i));
    after = h;
    if (h >= theta_i) after = subtract_i ? h - theta_i : 0;
    kept = on_store_i ? leaked(after, shift_i, toward_zero_i) : after;
  end

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      started <= 1;
      spec_acc <= 0;
      spec_u <= 0;
      spec_fired <= 0;
      spec_saturated <= 0;
    end else begin
      spec_acc <= next_acc;
      if (clear_i) begin
        spec_u <= 0;
      end else if (lif_valid_i) begin
        spec_fired <= h >= theta_i;
        spec_saturated <= kept > TOP || kept < -TOP;
        spec_u <= kept > TOP ? TOP : kept < -TOP ? -TOP : kept;
      end
    end
  end

  always @* begin
    // The host refuses programs that overflow; nothing is assumed about which commands come together.
    assume (next_acc >= LOW && next_acc <= HIGH);
    assume (!lif_valid_i || (h >= LOW && h <= HIGH && after >= LOW && after <= HIGH));
    if (started) begin
      assert (acc == spec_acc);
      assert (potential == spec_u);
      assert (fired == spec_fired && saturated == spec_saturated);
      assert (spec_u >= -TOP && spec_u <= TOP);
      assert (spec_acc >= LOW && spec_acc <= HIGH);
    end
  end
endmodule
