package org.functionmesh.samples;

import org.apache.pulsar.functions.api.Context;
import org.apache.pulsar.functions.api.Function;

/** Appends a secret to each message: {@code secretsMap} maps the name {@code PASSWORD} to a key of a Kubernetes Secret. */
public class SecretFunction implements Function<String, String> {
    @Override
    public String process(String input, Context context) {
        return input + " " + context.getSecret("PASSWORD");
    }
}
