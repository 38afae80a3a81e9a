package org.gatun.cuda.simulator;

/// An arithmetic instruction: its opcode with modifiers, and the classes of its operands.
///
/// @param operands one letter each, the destination first: `P` predicate, `H` 16 bits, `I` 32 bits, `F` f32, `L` 64 bits, `D` f64
record Form(String opcode, String operands, Lanes lanes) {}
