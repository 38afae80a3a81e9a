/// Models as files have them, GGUF or safetensors: their keys, none of which is passed over unsaid, their weights in Gatun's types, end
/// tokens, scaling of positions. Read [org.gatun.model.checkpoint.Checkpoint], then [org.gatun.model.checkpoint.GgufCheckpoint].
package org.gatun.model.checkpoint;
