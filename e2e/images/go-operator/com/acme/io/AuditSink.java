package com.acme.io;

import java.util.Map;
import org.apache.pulsar.functions.api.Record;
import org.apache.pulsar.io.core.Sink;
import org.apache.pulsar.io.core.SinkContext;

/** Acknowledges each message. */
public class AuditSink implements Sink<byte[]> {
    @Override
    public void open(Map<String, Object> config, SinkContext context) {}

    @Override
    public void write(Record<byte[]> record) {
        record.ack();
    }

    @Override
    public void close() {}
}
