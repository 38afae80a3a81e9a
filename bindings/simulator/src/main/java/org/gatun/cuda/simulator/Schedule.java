package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/// The order in which an assembler puts instructions that follow each other in the text, so that a warp waits as little as it can: list
/// scheduling by the longest path to the end (P. Gibbons, S. Muchnick, "Efficient instruction scheduling for a pipelined architecture",
/// 1986). PTX has no order that a device would keep: loads stand right before their use, chains one behind the other.
///
/// Registers are as many as one likes. Loads keep their order to stores of the same memory, and all memory to fences and waits.
final class Schedule {
    private static final int ARITHMETIC = 4;
    private static final int SHARED = 29;
    private static final int PRODUCTS = 33;
    private static final int MEMORY = 400;

    private final TimedInstruction[] instructions;
    private final List<List<Edge>> after = new ArrayList<>();
    private final int[] before;

    private record Edge(int to, int latency) {}

    private Schedule(TimedInstruction[] instructions) {
        this.instructions = instructions;
        before = new int[instructions.length];
        for (int i = 0; i < instructions.length; i++) {
            after.add(new ArrayList<>());
        }
    }

    /// Numbers of the instructions, in the order to take them.
    static int[] order(TimedInstruction[] instructions) {
        Schedule schedule = new Schedule(instructions);
        schedule.connectRegisters();
        schedule.connectMemory();
        return schedule.list();
    }

    private void connect(int from, int to, int latency) {
        if (from != to) {
            after.get(from).add(new Edge(to, latency));
            before[to]++;
        }
    }

    private static int latency(TimedInstruction instruction) {
        return switch (instruction.role()) {
            case LOAD, ATOMIC -> MEMORY;
            case SHARED -> SHARED;
            case COMPUTE -> instruction.instruction().is("mma") ? PRODUCTS
                    : InstructionClass.of(instruction.instruction()) == InstructionClass.WARP ? SHARED : ARITHMETIC;
            case MOVE, STORE, COPY, COPY_COMMIT, COPY_WAIT, PRODUCT, PRODUCT_COMMIT, PRODUCT_WAIT, SYNC -> 0;
        };
    }

    private void connectRegisters() {
        Map<Integer, Integer> writers = new HashMap<>();
        Map<Integer, List<Integer>> readers = new HashMap<>();
        for (int i = 0; i < instructions.length; i++) {
            for (int register : instructions[i].reads()) {
                Integer writer = writers.get(register);
                if (writer != null) {
                    connect(writer, i, latency(instructions[writer]));
                }
                readers.computeIfAbsent(register, _ -> new ArrayList<>()).add(i);
            }
            for (int register : instructions[i].writes()) {
                Integer writer = writers.put(register, i);
                if (writer != null) {
                    connect(writer, i, 1);
                }
                List<Integer> others = readers.remove(register);
                if (others != null) {
                    for (int reader : others) {
                        connect(reader, i, 0);
                    }
                }
            }
        }
    }

    private void connectMemory() {
        List<Integer> loads = new ArrayList<>();
        int store = -1;
        int fence = -1;
        for (int i = 0; i < instructions.length; i++) {
            switch (instructions[i].role()) {
                case COMPUTE, MOVE -> {}
                case LOAD, SHARED, STORE, ATOMIC, COPY -> {
                    if (fence >= 0) {
                        connect(fence, i, 0);
                    }
                    boolean reads = instructions[i].role() == TimedInstruction.Role.LOAD || instructions[i].isSharedLoad();
                    if (store >= 0) {
                        connect(store, i, 0);
                    }
                    if (!reads) {
                        connectAll(loads, i);
                        store = i;
                    }
                    loads.add(i);
                }
                case COPY_COMMIT, COPY_WAIT, PRODUCT, PRODUCT_COMMIT, PRODUCT_WAIT, SYNC -> {
                    connectAll(loads, i);
                    loads.clear();
                    if (fence >= 0) {
                        connect(fence, i, 0);
                    }
                    fence = i;
                    store = -1;
                }
            }
        }
    }

    private void connectAll(List<Integer> from, int to) {
        for (int each : from) {
            connect(each, to, 0);
        }
    }

    private int[] list() {
        int n = instructions.length;
        int[] path = new int[n];
        for (int i = n - 1; i >= 0; i--) {
            for (Edge edge : after.get(i)) {
                path[i] = Math.max(path[i], path[edge.to] + Math.max(1, edge.latency));
            }
        }
        int[] ready = new int[n];
        PriorityQueue<Integer> soon = new PriorityQueue<>(Comparator.<Integer>comparingInt(i -> ready[i]).thenComparingInt(i -> -path[i])
                .thenComparingInt(i -> i));
        PriorityQueue<Integer> now = new PriorityQueue<>(Comparator.<Integer>comparingInt(i -> -path[i]).thenComparingInt(i -> i));
        for (int i = 0; i < n; i++) {
            if (before[i] == 0) {
                soon.add(i);
            }
        }
        int[] order = new int[n];
        int time = 0;
        for (int count = 0; count < n;) {
            while (!soon.isEmpty() && ready[soon.peek()] <= time) {
                now.add(soon.poll());
            }
            if (now.isEmpty()) {
                time = ready[soon.peek()];
                continue;
            }
            int next = now.poll();
            order[count++] = next;
            time += instructions[next].role() == TimedInstruction.Role.MOVE ? 0 : 1;
            for (Edge edge : after.get(next)) {
                ready[edge.to] = Math.max(ready[edge.to], time - 1 + edge.latency);
                if (--before[edge.to] == 0) {
                    soon.add(edge.to);
                }
            }
        }
        return order;
    }
}
