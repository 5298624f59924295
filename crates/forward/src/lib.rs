//! The data plane: sockets, batches, workers, counters.
