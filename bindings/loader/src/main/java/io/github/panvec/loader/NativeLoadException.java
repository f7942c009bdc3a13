package io.github.panvec.loader;

/**
 * A native library could not be opened, or lacks a symbol. The message lists every place that was
 * tried with the linker's own words, and the remedy.
 *
 * <p>It is a {@link LinkageError} because generated bindings resolve their symbols in static
 * initializers, and only an {@link Error} leaves those as it is; any other exception would arrive
 * wrapped in {@link ExceptionInInitializerError}, without its text.
 */
public final class NativeLoadException extends UnsatisfiedLinkError {
  private static final long serialVersionUID = 1L;

  NativeLoadException(String message) {
    super(message);
  }

  NativeLoadException(String message, Throwable cause) {
    super(message);
    initCause(cause);
  }
}
