package org.gatun.constraint;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// How far a text is with a constraint: which tokens may follow, token by token. Going back is free, and so is a copy.
///
/// One thread at a time; several matchers of one [CompiledConstraint] may be used by several.
public final class ConstraintMatcher {
    private static final int MAX_FORCED = 4096;

    private final CompiledConstraint constraint;
    private final List<Parser.State> states = new ArrayList<>(); // before each token, and now
    private boolean ended;

    ConstraintMatcher(CompiledConstraint constraint) {
        this.constraint = constraint;
        states.add(constraint.start());
    }

    private ConstraintMatcher(ConstraintMatcher of) {
        constraint = of.constraint;
        states.addAll(of.states);
        ended = of.ended;
    }

    private Parser.State state() {
        return states.getLast();
    }

    /// Writes which tokens may follow. Hot.
    ///
    /// @param mask `[>= ceil(vocabulary / 32)]`, bit `token % 32` of word `token / 32` is set if the token may follow; overwritten
    /// @throws IllegalArgumentException if the array is too short
    /// @throws IllegalStateException if the text has ended, or no token of the vocabulary spells what must follow
    public void mask(int[] mask) {
        if (!tryMask(mask)) {
            throw new IllegalStateException(constraint.stuck());
        }
    }

    /// Writes which tokens may follow, as [#mask] does. Hot.
    ///
    /// @return whether any may; if not, no token of the vocabulary spells what must follow
    /// @throws IllegalArgumentException if the array is too short
    /// @throws IllegalStateException if the text has ended
    public boolean tryMask(int[] mask) {
        if (mask.length < constraint.trie().words()) {
            throw new IllegalArgumentException("a mask of " + mask.length + " words: expected " + constraint.trie().words() + " for "
                    + constraint.trie().vocabularySize() + " tokens");
        }
        if (ended) {
            throw new IllegalStateException("the text under the constraint '" + constraint + "' has ended: no token may follow");
        }
        return constraint.mask(state(), mask);
    }

    /// Goes behind a token, if it may follow.
    ///
    /// @return whether it may; if not, nothing changes
    /// @throws IndexOutOfBoundsException if there is no such token
    public boolean accept(int token) {
        Objects.checkIndex(token, constraint.trie().vocabularySize());
        if (ended) {
            return false;
        }
        if (isEnd(token)) {
            ended = isComplete();
            if (ended) {
                states.add(state());
            }
            return ended;
        }
        Parser.State next = constraint.accept(state(), token);
        if (next != null) {
            states.add(next);
        }
        return next != null;
    }

    private boolean isEnd(int token) {
        for (int end : constraint.trie().endTokens()) {
            if (end == token) {
                return true;
            }
        }
        return false;
    }

    /// Goes back before the last tokens.
    ///
    /// @throws IllegalArgumentException if there were not so many
    public void rollback(int tokens) {
        if (tokens < 0 || tokens >= states.size()) {
            throw new IllegalArgumentException("rollback of " + tokens + " tokens: expected 0 to " + (states.size() - 1));
        }
        if (tokens > 0) {
            states.subList(states.size() - tokens, states.size()).clear();
            ended = false;
        }
    }

    /// Whether the text may end here.
    public boolean isComplete() {
        return state().isComplete();
    }

    /// Whether a token that ends the text was accepted.
    public boolean isEnded() {
        return ended;
    }

    /// The bytes that must follow, up to a bound: those for which there is no other choice.
    public byte[] forcedBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Parser.State state = state();
        for (int forced = constraint.forced(state); forced >= 0 && bytes.size() < MAX_FORCED; forced = constraint.forced(state)) {
            bytes.write(forced);
            state = constraint.behind(state, forced);
        }
        return bytes.toByteArray();
    }

    /// Another one that stands at the same place.
    public ConstraintMatcher fork() {
        return new ConstraintMatcher(this);
    }
}
