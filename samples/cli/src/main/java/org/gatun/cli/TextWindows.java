package org.gatun.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.gatun.model.NonFiniteLogitsException;
import org.gatun.model.Session;
import org.gatun.tokenizer.Tokenizer;

/// A text cut into windows that a model reads one after the other, to see how well it predicts it.
///
/// @param windows each begins with the beginning-of-text token, if the model has one
record TextWindows(List<int[]> windows) {

    /// Windows of a text.
    ///
    /// @param length tokens of a window
    static TextWindows of(Tokenizer tokenizer, String text, int length) {
        int[] tokens = tokenizer.encode(text, Tokenizer.Special.NONE);
        int[] first = tokenizer.beginOfText().stream().toArray();
        List<int[]> windows = new ArrayList<>();
        for (int from = 0; from < tokens.length; from += length - first.length) {
            int[] window = Arrays.copyOf(first, first.length + Math.min(length - first.length, tokens.length - from));
            System.arraycopy(tokens, from, window, first.length, window.length - first.length);
            windows.add(window);
        }
        return new TextWindows(windows);
    }

    /// Tokens after the first of each window, those that are predicted.
    int predicted() {
        return windows.stream().mapToInt(window -> window.length - 1).sum();
    }

    /// Reads tokens of a window from `start` on, as many as one pass has logits for, but not the last, after which nothing comes.
    ///
    /// @return how many were read
    static int read(Session session, int[] window, int start) {
        if (start == 0) {
            session.rewind(0);
        }
        int rows = Math.min(session.maxTreeRows(), window.length - 1 - start);
        session.segment().beginCausal(start);
        for (int row = 0; row < rows; row++) {
            session.segment().addRow(window[start + row]);
            session.segment().select(row);
        }
        session.run();
        return rows;
    }

    /// The logarithms of the probabilities of all tokens after a row of the last pass.
    ///
    /// @throws NonFiniteLogitsException if a logit is no number
    static double[] logProbabilities(Session session, int row) {
        MemorySegment logits = session.logits(); // [rows, vocabulary] f32
        double[] result = new double[session.vocabularySize()];
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < result.length; i++) {
            result[i] = logits.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * result.length + i);
            largest = Math.max(largest, result[i]);
        }
        session.requireNumber((float) largest, session.segment().position(row) + 1);
        double sum = 0;
        for (double logit : result) {
            sum += Math.exp(logit - largest);
        }
        double logarithm = largest + Math.log(sum);
        for (int i = 0; i < result.length; i++) {
            result[i] -= logarithm;
        }
        return result;
    }
}
