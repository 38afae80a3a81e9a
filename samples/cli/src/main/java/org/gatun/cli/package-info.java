/// The `gatun` command, one class a subcommand. Read [org.gatun.cli.Gatun] first.
///
/// Commands write to the [org.gatun.cli.Console] they are given and report bad input as `IllegalArgumentException` or
/// `IOException`; only `Gatun` turns these into messages and exit codes, and only its `main` exits.
package org.gatun.cli;
