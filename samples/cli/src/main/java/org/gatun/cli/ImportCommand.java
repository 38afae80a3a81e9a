package org.gatun.cli;

import picocli.CommandLine.Command;

/// The room of the importers.
@Command(name = "import", description = "Converts models of other programs to GGUF.", footer = {
        "", "Example:",
        "  gatun import llama2c --weights model.bin --tokenizer tok.bin --out a.gguf"})
final class ImportCommand {}
