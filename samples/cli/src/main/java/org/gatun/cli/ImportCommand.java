package org.gatun.cli;

import picocli.CommandLine.Command;

/// The room of the importers.
@Command(name = "import", description = "Converts models of other programs to GGUF.")
final class ImportCommand {}
