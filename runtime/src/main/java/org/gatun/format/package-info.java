/// Model files: GGUF and safetensors, mapped into memory, read and written; llama2.c checkpoints, imported.
/// Whatever a file holds, reading it ends in a result or in a [org.gatun.format.FormatException] that names the file,
/// what was found and what was expected. Knows nothing of backends, models or tokens. Read `GgufFile` first.
package org.gatun.format;
