package com.acme;

import java.nio.charset.StandardCharsets;
import org.apache.pulsar.functions.api.Context;
import org.apache.pulsar.functions.api.Function;

/** Puts the name of the function before each message. */
public class Enrich implements Function<byte[], byte[]> {
    @Override
    public byte[] process(byte[] input, Context context) {
        String message = new String(input, StandardCharsets.UTF_8);
        return (context.getFunctionName() + " " + message).getBytes(StandardCharsets.UTF_8);
    }
}
