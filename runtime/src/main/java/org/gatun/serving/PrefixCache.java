package org.gatun.serving;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.gatun.backend.KvPool;
import org.gatun.model.SequenceState;

/// Pages of texts that were read before, for texts that begin alike: a tree whose nodes are full pages, found by the tokens in them and in
/// all pages before (RadixAttention, Zheng et al. 2023, arXiv 2312.07104, by pages). Tokens are compared, never a hash alone.
///
/// A row has the same bits in every pass, so what is attached has the bits that reading it again would give. The engine's thread only,
/// but for [#pages]. Holds pages of the pool until they are evicted.
final class PrefixCache {
    private final KvPool pool;
    private final PrefixSharing sharing;
    private final Map<String, Node> roots = new HashMap<>(); // by key, where keys share nothing; without pages
    /// The least recent first, and children before their parents: whoever uses a page uses those before it.
    private final LinkedHashSet<Node> nodes = new LinkedHashSet<>();
    private volatile int pages;

    /// The tokens of a page.
    private record Block(int[] tokens) {

        static Block of(int[] text, int page) {
            return new Block(Arrays.copyOfRange(text, page * KvPool.PAGE_SLOTS, (page + 1) * KvPool.PAGE_SLOTS));
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Block(int[] others) && Arrays.equals(tokens, others);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(tokens);
        }
    }

    /// A page behind those of its parents.
    private static final class Node {
        private final Node parent;
        private final Block block;
        private final int page;
        private final Map<Block, Node> children = new HashMap<>();

        Node(Node parent, Block block, int page) {
            this.parent = parent;
            this.block = block;
            this.page = page;
        }
    }

    PrefixCache(KvPool pool, PrefixSharing sharing) {
        this.pool = pool;
        this.sharing = sharing;
    }

    private String salt(String key) {
        return sharing == PrefixSharing.ALL ? "" : key;
    }

    /// Pages that are held. Any thread.
    int pages() {
        return pages;
    }

    /// Finds the pages that a text begins with, and makes them the most recent.
    ///
    /// @param tokens of the text, of which the first `length` count
    /// @return the pages in order
    private List<Node> find(String key, int[] tokens, int length) {
        List<Node> path = new ArrayList<>();
        Node node = roots.get(salt(key));
        for (int page = 0; node != null && (page + 1) * KvPool.PAGE_SLOTS <= length; page++) {
            node = node.children.get(Block.of(tokens, page));
            if (node != null) {
                path.add(node);
            }
        }
        path.reversed().forEach(nodes::addLast);
        return path;
    }

    /// How many pages a text begins with that [#attach] would give it.
    int matchingPages(String key, int[] tokens, int length) {
        return find(key, tokens, length).size();
    }

    /// Gives an empty sequence the rows of the pages that a text begins with.
    ///
    /// @param length tokens of the text that may come from here
    /// @return how many do
    int attach(String key, int[] tokens, int length, SequenceState sequence) {
        for (Node node : find(key, tokens, length)) {
            sequence.pages().attach(node.page);
            for (int token : node.block.tokens) {
                sequence.append(token);
            }
        }
        return sequence.length();
    }

    /// Keeps the full pages of a sequence, which go on being its own too. Its rows must come from passes that did not fail.
    void insert(String key, SequenceState sequence) {
        int full = sequence.length() / KvPool.PAGE_SLOTS;
        if (full == 0 || sharing == PrefixSharing.NONE) {
            return;
        }
        Node node = roots.computeIfAbsent(salt(key), _ -> new Node(null, null, -1));
        for (int page = 0; page < full; page++) {
            Block block = Block.of(sequence.tokens(), page);
            Node child = node.children.get(block);
            if (child == null) {
                child = new Node(node, block, sequence.pages().page(page));
                pool.retain(child.page);
                node.children.put(block, child);
            }
            node = child;
        }
        for (; node.parent != null; node = node.parent) {
            nodes.addLast(node);
        }
        pages = nodes.size();
    }

    /// Frees pages that no sequence uses, the least recent first.
    ///
    /// @param count of pages to free
    /// @return whether there were so many; if not, none is freed
    boolean evict(int count) {
        List<Node> evicted = new ArrayList<>();
        for (Node node : nodes) {
            if (evicted.size() == count) {
                break;
            }
            if (!pool.isShared(node.page)) {
                evicted.add(node);
            }
        }
        if (evicted.size() < count) {
            return false;
        }
        evicted.forEach(this::forget);
        pages = nodes.size();
        return true;
    }

    /// A page behind it may still be a sequence's that has pages of its own for the same tokens before; nobody would find it any more.
    private void forget(Node node) {
        List.copyOf(node.children.values()).forEach(this::forget);
        nodes.remove(node);
        node.parent.children.remove(node.block);
        pool.release(node.page);
        if (node.parent.parent == null && node.parent.children.isEmpty()) {
            roots.values().remove(node.parent);
        }
    }
}
