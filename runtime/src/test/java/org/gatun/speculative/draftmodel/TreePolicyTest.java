package org.gatun.speculative.draftmodel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TreePolicyTest {
    private static final double[] RATES = {0.6, 0.2, 0.1};

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 1.6", "3, 1.96", "4, 2.176", "5, 2.376", "6, 2.5056"})
    void sequoia_workedExample_expectsThePublishedTokens(int nodes, double expected) {
        assertEquals(expected, SequoiaPolicy.expected(RATES, nodes, 6), 1e-12);
        assertEquals(nodes, SequoiaPolicy.best(RATES, nodes, 6).size());
    }

    @Test
    void sequoia_planned_isWorthWhatTheTableSays() {
        SequoiaPolicy.Shape shape = SequoiaPolicy.best(RATES, 11, 3);

        assertEquals(SequoiaPolicy.expected(RATES, 11, 3), worth(shape), 1e-12);
    }

    private static double worth(SequoiaPolicy.Shape shape) {
        double worth = 1;
        for (int child = 0; child < shape.children().size(); child++) {
            worth += RATES[child] * worth(shape.children().get(child));
        }
        return worth;
    }

    @Test
    void sequoia_moreNodesThanTheLevelsHold_plansFewer() {
        assertEquals(4, SequoiaPolicy.best(RATES, 50, 1).size());
    }

    @Test
    void stochasticBeam_siblings_staysBelowTheParentAndKeepsTheOrder() {
        double parent = -0.3;
        double[] perturbed = {2.1, 0.4, -3.7, 2.0999999};

        double last = StochasticBeamPolicy.below(parent, perturbed[0], perturbed[0]);
        assertEquals(parent, last);
        for (int i : new int[] {3, 1, 2}) {
            double key = StochasticBeamPolicy.below(parent, perturbed[i], perturbed[0]);
            assertTrue(key <= last, i + ": " + key + " after " + last);
            last = key;
        }
    }
}
