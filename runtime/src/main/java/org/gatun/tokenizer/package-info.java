/// Text to tokens and back, and conversations to text. Knows file formats of vocabularies, and nothing of models.
///
/// Read [org.gatun.tokenizer.Tokenizer] first, then [org.gatun.tokenizer.Tokenizers] for where they come from. Inside, a
/// tokenizer is a `Vocabulary` (which token means what) with a `Segmenter` (how text is cut): `BytePairs`,
/// `CharacterPairs`, `ScoredPairs`, `Unigram`, `WordLevel` or `WordPieces`. What `tokenizer.json` puts around it is a
/// `Normalizer`, a `Splitter`, `AddedTokens` and a `Decoder`, which `PipelineTokenizer` joins.
package org.gatun.tokenizer;
