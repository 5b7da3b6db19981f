"""A small Liberty library with energies that a hand can add up: at 2 V, in fF and fJ."""

CAPACITANCE = {"INV": 1, "BUF": 1, "NAND2": 2, "NOR2": 2}  # fF of each input
FUNCTION = {"INV": "!A", "BUF": "A", "NAND2": "!(A B)", "NOR2": "!(A|B)"}
POWER = {"A": "3, 53", "B": "5, 55"}  # fJ of an output's transition caused by a pin, at loads of 0 and 100 fF
SETUP = """  nom_voltage : 2.0; voltage_unit : "1V"; time_unit : "1ns"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  power_lut_template (load) { variable_1 : total_output_net_capacitance; index_1 ("0, 100"); }
"""
GATE_PIN = "pin({pin}) {{ direction : input; capacitance : {capacitance}; }}\n"
GATE_POWER = """internal_power () {{ related_pin : "{pin}";
    rise_power (load) {{ values ("{power}"); }} fall_power (load) {{ values ("{power}"); }} }}
"""

# Its clock's rising edge costs 5 fJ where D equals Q and 9 where they differ, the falling one 2.
FLOP = """cell(DFFR) { area : 5.0;
  leakage_power () { when : "Q"; value : 10; }
  leakage_power () { when : "!Q"; value : 20; }
  ff(IQ, IQN) { clocked_on : "C"; next_state : "D"; clear : "!R"; }
  pin(R) { direction : input; capacitance : 1; }
  pin(C) { direction : input; clock : true; capacitance : 3;
    internal_power () { when : "(D Q) + (!D !Q)";
      rise_power (scalar) { values ("5"); } fall_power (scalar) { values ("2"); } }
    internal_power () { when : "D ^ Q";
      rise_power (scalar) { values ("9"); } fall_power (scalar) { values ("2"); } }
  }
  pin(D) { direction : input; capacitance : 2; internal_power () { power (scalar) { values ("1"); } } }
  pin(Q) { direction : output; function : "IQ";
    internal_power () { related_pin : "C"; power (load) { values ("7, 7"); } } }
}
"""


def gate(name):
    inputs = ["A", "B"] if "B" in FUNCTION[name] else ["A"]
    pins = "".join(GATE_PIN.format(pin=pin, capacitance=CAPACITANCE[name]) for pin in inputs)
    power = "".join(GATE_POWER.format(pin=pin, power=POWER[pin]) for pin in inputs)
    output = f'pin(Y) {{ direction : output; function : "{FUNCTION[name]}";\n{power}}}'
    return f"cell({name}) {{ area : 1.0; cell_leakage_power : 4;\n{pins}{output} }}\n"


def library(*, setup=SETUP):
    """Return the library's text."""
    return f"library(by_hand) {{\n{setup}{''.join(map(gate, FUNCTION))}{FLOP}}}\n"
