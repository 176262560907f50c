package org.functionmesh.samples;

import org.apache.pulsar.functions.api.Context;
import org.apache.pulsar.functions.api.Function;

/** Makes a record with a schema from a number and a name, separated by a space. */
public class ToPerson implements Function<String, ToPerson.Person> {
    /** A row of a table: its key, and a name. */
    public static class Person {
        public int id;
        public String name;
    }

    @Override
    public Person process(String input, Context context) {
        String[] parts = input.split(" ", 2);
        Person person = new Person();
        person.id = Integer.parseInt(parts[0]);
        person.name = parts[1];
        return person;
    }
}
