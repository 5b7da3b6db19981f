"""Both processing elements equal their specifications for all time, and the proofs see planted mistakes."""

import shutil
from pathlib import Path

import pytest

import spikequant_mint_rtl
from spikequant_mint_rtl.area.yosys import run_yosys, yosys_here

pytestmark = pytest.mark.skipif(not yosys_here().ready, reason=f"formal: {yosys_here().detail}")

RTL = Path(spikequant_mint_rtl.__file__).parent / "rtl"
CHECKS = Path(__file__).parent / "formal"
SOURCES = {"mint_pe": RTL / "mint_pe.sv", "uq_pe": RTL / "baseline" / "uq_pe.sv"}
PROVEN, REFUTED = "Induction step proven: SUCCESS!", "model found for base case: FAIL!"
WIDTHS = [(2, 2), (4, 4), (8, 8), (2, 8), (8, 2)]  # bits of weight and potential
MINT_MUTANTS = {
    "strict threshold": ("pre_reset >= theta_i", "pre_reset > theta_i"),
    "leak always toward zero": ("(toward_zero && value", "(value"),
    "leak rounds the wrong way": ("value + below", "value - below"),
    "leak shifts in zeros": (") >>> shift", ") >> shift"),
    "two's complement floor": ("potential_d = -Top;", "potential_d = -Top - 1'b1;"),
    "clamp leaves one below": ("end else if (kept < -AccTop)", "end else if (kept < -AccTop - 1'b1)"),
    "saturation of positive values unreported": ("(kept > AccTop) ||", ""),
    "no doubling": ("acc_q <<< 1 :", "acc_q :"),
    "unsigned weight": ("AccBits'(weight_i)", "AccBits'($unsigned(weight_i))"),
    "subtracting reset ignored": ("rules_i.reset_subtract ? pre_reset - theta_i : '0", "'0"),
    "leak acts twice": ("if (!rules_i.leak_on_store) begin", "begin"),
    "accumulator kept after a step": ("clear_i || drop_i || lif_valid_i", "clear_i || drop_i"),
    "accumulator kept after a drop": ("clear_i || drop_i || lif_valid_i", "clear_i || lif_valid_i"),
    "drop clears the potential": ("    if (clear_i) begin", "    if (clear_i || drop_i) begin"),
    "potential kept before a new output": ("    if (clear_i) begin\n      potential_d = '0;", "    if (clear_i) begin"),
}
UQ_MUTANTS = {
    "strict threshold": ("pre_reset >= theta_i", "pre_reset > theta_i"),
    "half not added": ("(halves >>> 1) + $signed({{ScaleBits{1'b0}}, halves[0]})", "(halves >>> 1)"),
    "half always added": ("halves[0]})", "1'b1})"),
    "rounding shifts in zeros": ("$signed({pre_reset, 1'b0}) >>>", "{pre_reset, 1'b0} >>"),
    "leak shifts in zeros": (">>> rules_i.leak_shift", ">> rules_i.leak_shift"),
    "fraction off by one": ("<<< rules_i.fraction", "<<< (rules_i.fraction + 1'b1)"),
    "unsigned multiply": ("ScaleBits'(acc_q) * multiplier_i", "ScaleBits'($unsigned(acc_q)) * multiplier_i"),
    "narrow multiply": ("ScaleBits'(acc_q) * multiplier_i", "ScaleBits'(acc_q) * ScaleBits'(multiplier_i[30:0])"),
    "input not scaled": ("scaled + seen", "ScaleBits'(acc_q) + seen"),
    "no reset": ("if (!fired_d) begin", "begin"),
    "two's complement floor": ("potential_d = -Top;", "potential_d = -Top - 1'b1;"),
    "accumulator kept after a drop": ("clear_i || drop_i || lif_valid_i", "clear_i || lif_valid_i"),
    "potential kept before a new output": ("    if (clear_i) begin\n      potential_d = '0;", "    if (clear_i) begin"),
}

UQ_WIDTHS = [(2, 2), (4, 4), (8, 8), (8, 2), (8, 32)]
MUTANT_WIDTHS = (2, 2)  # these mistakes show at any width; this is the fastest

# uq_pe's shifters are too much for plain SAT: the one product is cut, and equal signals are merged by ABC first.
SWEEP = (
    "select -assert-count 1 t:$mul",
    "cutpoint t:$mul",
    "opt -full",
    "techmap",
    "opt",
    "abc -g AND,XOR,MUX -script +strash;ifraig;strash;map",
    "opt",
)


def holds(folder, module, text, widths, *, prepare=(), induction="-tempinduct"):
    """Return ``True`` when proven for all time, ``False`` when a counterexample was found; else fail."""
    (folder / "pe.sv").write_text(text)
    for source in (RTL / "mint_pkg.sv", CHECKS / f"{module}_check.sv"):
        shutil.copy(source, folder)
    names = ("WeightBits", "PotentialBits", "AccBits")
    values = (*widths, max(16, widths[0] + 13))
    chosen = " ".join(f"-set {name} {value}" for name, value in zip(names, values, strict=True))
    script = (
        f"read_verilog -sv -formal mint_pkg.sv pe.sv {module}_check.sv",
        f"chparam {chosen} {module}_check",
        f"prep -flatten -top {module}_check",
        "async2sync",
        *prepare,
        f"sat {induction} -prove-asserts -set-assumes -maxsteps 6 {module}_check",
    )
    output = run_yosys(folder, "\n".join(script))
    assert (PROVEN in output) != (REFUTED in output), output[-2000:]
    return PROVEN in output


@pytest.mark.parametrize("widths", WIDTHS)
def test_mint_pe_equals_its_specification_for_all_time(tmp_path, widths):
    assert holds(tmp_path, "mint_pe", SOURCES["mint_pe"].read_text(), widths, prepare=["select -assert-none t:$mul"])


@pytest.mark.parametrize("widths", UQ_WIDTHS)
def test_uq_pe_equals_its_specification_for_all_time(tmp_path, widths):
    assert holds(tmp_path, "uq_pe", SOURCES["uq_pe"].read_text(), widths, prepare=SWEEP)


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        pytest.param(module, right, wrong, id=f"{module}: {name}")
        for module, mutants in (("mint_pe", MINT_MUTANTS), ("uq_pe", UQ_MUTANTS))
        for name, (right, wrong) in mutants.items()
    ],
)
def test_proof_refutes_a_planted_mistake(tmp_path, module, right, wrong):
    text = SOURCES[module].read_text()
    assert text.count(right) == 1
    # The counterexample starts at reset: the proof's base case finds it, and the induction step is not needed.
    base = "-tempinduct -tempinduct-baseonly"
    assert not holds(tmp_path, module, text.replace(right, wrong), MUTANT_WIDTHS, induction=base)
