package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// WordPiece (Devlin et al., 2018, arXiv:1810.04805): a word is taken apart into the longest pieces from the left. A word
/// that cannot be is unknown, and so is one that is too long.
///
/// @param starts pieces that a word may begin with
/// @param others pieces that may follow, without what marks them
/// @param unknown the unknown token, or [Vocabulary#NONE]: then unknown words are left out
/// @param longest characters of the longest word that is taken apart
record WordPieces(Trie starts, Trie others, int unknown, int longest) implements Segmenter {

    @Override
    public void segment(String word, IntConsumer ids) {
        if (word.length() > longest && word.codePointCount(0, word.length()) > longest) {
            emitUnknown(ids);
            return;
        }
        int[] found = new int[word.length()];
        int count = 0;
        for (int from = 0; from < word.length(); count++) {
            Trie pieces = from == 0 ? starts : others;
            int end = from;
            int node = Trie.ROOT;
            for (int to = from; to < word.length(); ) {
                node = pieces.step(node, word.charAt(to++));
                if (node == Trie.NONE) {
                    break;
                }
                int id = pieces.id(node);
                if (id >= 0) {
                    found[count] = id;
                    end = to;
                }
            }
            if (end == from) {
                emitUnknown(ids);
                return;
            }
            from = end;
        }
        for (int i = 0; i < count; i++) {
            ids.accept(found[i]);
        }
    }

    private void emitUnknown(IntConsumer ids) {
        if (unknown >= 0) {
            ids.accept(unknown);
        }
    }
}
