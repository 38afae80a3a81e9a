package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// Where the rows of a plan's inputs come from: the caller's memory, or what another executable left.
final class PassInputs {
    private static final class Input {
        private final Value rows;
        private PinnedBuffer host; // made when the caller asked for it
        private CudaExecutable from;
        private Value of;

        Input(Value rows) {
            this.rows = rows;
        }
    }

    private final CudaContext context;
    private final PlanValues values;
    private final DeviceResources owned;
    private final Map<String, Input> inputs = new LinkedHashMap<>();
    private final List<Input> inOrder; // which a pass goes through without an iterator

    /// @param owned receives what is allocated
    PassInputs(Plan plan, CudaContext context, PlanValues values, DeviceResources owned) {
        this.context = context;
        this.values = values;
        this.owned = owned;
        for (Op op : plan.ops()) {
            if (op instanceof Op.Input(String name, Value rows)) {
                inputs.put(name, new Input(rows));
            }
        }
        inOrder = new ArrayList<>(inputs.values());
    }

    boolean isEmpty() {
        return inOrder.isEmpty();
    }

    /// The caller's memory of an input; pinned.
    PinnedBuffer host(String name) {
        return hostOf(inputs.get(name));
    }

    private PinnedBuffer hostOf(Input input) {
        if (input.host == null) {
            input.host = owned.add(context.allocatePinned(values.byteSize(input.rows)));
        }
        return input.host;
    }

    /// Takes an input from a value of another executable from now on.
    void connect(String name, CudaExecutable from, Value of) {
        inputs.get(name).from = from;
        inputs.get(name).of = of;
    }

    /// Queues that the first rows of all inputs are brought to where the graphs look for them; returns whether the caller's memory is read.
    /// Hot.
    boolean take(CudaStream stream, int rows) {
        boolean hostIsRead = false;
        for (int i = 0; i < inOrder.size(); i++) {
            Input input = inOrder.get(i);
            long bytes = (long) rows * input.rows.width() * Float.BYTES;
            if (input.from == null) {
                stream.copyToDevice(values.buffer(), values.offset(input.rows), hostOf(input).memory().asSlice(0, bytes));
                hostIsRead = true;
            } else {
                input.from.giveRows(input.of, rows, stream, values.buffer(), values.offset(input.rows), bytes);
            }
        }
        return hostIsRead;
    }
}
