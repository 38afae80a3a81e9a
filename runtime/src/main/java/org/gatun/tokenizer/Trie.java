package org.gatun.tokenizer;

import java.util.Arrays;

/// Token ids by their text, walked one `char` at a time.
final class Trie {
    /// The node of the empty text.
    static final int ROOT = 0;
    /// No such node, or no id.
    static final int NONE = -1;

    /// Longer texts are left out: no vocabulary has them, and a walk may begin at every character.
    static final int LONGEST = 1024;

    private final LongTable edges;
    private int[] ids = {NONE}; // by node
    private int nodes = 1;

    /// @param expected characters of all texts, roughly
    Trie(int expected) {
        edges = new LongTable(expected);
    }

    /// Adds a text; the first id of a text stays.
    void add(String text, int id) {
        if (text.length() > LONGEST) {
            return;
        }
        int node = ROOT;
        for (int i = 0; i < text.length(); i++) {
            long child = edges.putIfAbsent(edge(node, text.charAt(i)), nodes);
            node = child == LongTable.NONE ? nodes++ : (int) child;
        }
        if (nodes > ids.length) {
            int length = ids.length;
            ids = Arrays.copyOf(ids, Math.max(nodes, 2 * length));
            Arrays.fill(ids, length, ids.length, NONE);
        }
        ids[node] = ids[node] == NONE ? id : ids[node];
    }

    /// The node one character on, or [#NONE].
    int step(int node, char next) {
        return (int) edges.get(edge(node, next));
    }

    /// The id of the text that leads to `node`, or [#NONE].
    int id(int node) {
        return ids[node];
    }

    private static long edge(int node, char next) {
        return (long) node << 16 | next;
    }
}
