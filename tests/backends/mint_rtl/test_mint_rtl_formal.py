"""The processing element equals its specification for all time, and the proof sees planted mistakes."""

from pathlib import Path

import pytest

from spikequant_mint_rtl.builder import RTL

CHECK = Path(__file__).parent / "formal" / "mint_pe_check.sv"
PROVEN, REFUTED = "Induction step proven: SUCCESS!", "model found for base case: FAIL!"
MUTANTS = {
    "strict threshold": ("pre_reset >= theta_i", "pre_reset > theta_i"),
    "leak always toward zero": ("(toward_zero && value", "(value"),
    "leak rounds the wrong way": ("value + below", "value - below"),
    "two's complement floor": ("potential_d = -Top;", "potential_d = -Top - 1'b1;"),
    "clamp leaves one below": ("end else if (kept < -AccTop)", "end else if (kept < -AccTop - 1'b1)"),
    "no doubling": ("acc_q <<< 1 :", "acc_q :"),
    "subtracting reset ignored": ("rules_i.reset_subtract ? pre_reset - theta_i : '0", "'0"),
    "accumulator kept after a step": ("clear_i || lif_valid_i", "clear_i"),
}


def outcome(folder, pe_text, bits):
    """Return ``True`` when proven for all time, ``False`` when a counterexample was found."""
    ys = pytest.importorskip("pyosys.libyosys", reason="pyosys is not installed")
    pe, log = folder / "mint_pe.sv", folder / "sat.log"
    pe.write_text(pe_text)
    design = ys.Design()
    widths = f"-set WeightBits {bits} -set PotentialBits {bits} -set AccBits {max(16, bits + 13)}"
    for command in (
        f"tee -q read_verilog -sv -formal {RTL / 'mint_pkg.sv'} {pe} {CHECK}",
        f"tee -q chparam {widths} mint_pe_check",
        "tee -q prep -flatten -top mint_pe_check",
        "tee -q async2sync",
        f"tee -q -o {log} sat -tempinduct -prove-asserts -set-assumes -maxsteps 4 mint_pe_check",
    ):
        ys.run_pass(command, design)
    text = log.read_text()
    assert (PROVEN in text) != (REFUTED in text), text[-2000:]
    return PROVEN in text


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_processing_element_equals_its_specification_for_all_time(tmp_path, bits):
    assert outcome(tmp_path, (RTL / "mint_pe.sv").read_text(), bits)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_proof_refutes_a_planted_mistake(tmp_path, mutant):
    right, wrong = MUTANTS[mutant]
    text = (RTL / "mint_pe.sv").read_text()
    assert text.count(right) == 1
    assert not outcome(tmp_path, text.replace(right, wrong), 4)
