package org.gatun.cuda.simulator;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Rates and latencies of a device, for a model of time. They stand in `devices.tsv`, each with its source; some are estimates, and say
/// so there.
public enum DeviceModel {
    H200, H100, A100, RTX4090, RTX3090, B200;

    /// Registers of a multiprocessor, of any device so far.
    static final int REGISTERS = 65_536;

    private final Map<String, Double> figures = new HashMap<>();

    DeviceModel() {
        for (String line : Table.LINES) {
            String[] fields = line.split("\t");
            figures.put(fields[0], Double.valueOf(fields[Table.column(name())]));
        }
    }

    /// By its name in lower case, such as `h200`.
    ///
    /// @throws IllegalArgumentException if there is none of this name
    public static DeviceModel of(String name) {
        for (DeviceModel device : values()) {
            if (device.toString().equals(name)) {
                return device;
            }
        }
        throw new IllegalArgumentException("unknown device '" + name + "': expected one of " + Arrays.toString(values()));
    }

    /// Compute capability, times ten.
    public int computeCapability() {
        return (int) figure("compute_capability");
    }

    public int multiprocessors() {
        return (int) figure("multiprocessors");
    }

    /// Bytes of its memory a microsecond, as far as programs get them.
    public double memoryBytesPerMicrosecond() {
        return figure("memory_gb_s") * 1000;
    }

    double cyclesPerMicrosecond() {
        return figure("clock_ghz") * 1000;
    }

    /// Of the device's memory, a cycle.
    double memoryBytesPerCycle() {
        return figure("memory_gb_s") / figure("clock_ghz");
    }

    double l2BytesPerCycle() {
        return figure("l2_gb_s") / figure("clock_ghz");
    }

    /// A line of the table.
    double figure(String name) {
        return figures.get(name);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static final class Table {
        private static final List<String> HEAD = new ArrayList<>();
        private static final List<String> LINES = new ArrayList<>();

        static {
            try (InputStream in = DeviceModel.class.getResourceAsStream("devices.tsv");
                    BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
                HEAD.addAll(List.of(lines.readLine().split("\t")));
                lines.lines().forEach(LINES::add);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        static int column(String device) {
            return HEAD.indexOf(device.toLowerCase(Locale.ROOT));
        }
    }
}
