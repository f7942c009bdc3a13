package io.github.panvec.conformance;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** The claims of {@code docs/contract.md} that a test holds a backend to. */
@Documented
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
public @interface Contract {
  /** Identifiers, for example {@code remove.later-search-does-not-see}. */
  String[] value();
}
