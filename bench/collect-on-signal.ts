/** Loaded into a gateway that is measured for leaks (`--expose-gc --import`): SIGUSR2 collects garbage, so that what is left is held. */
process.on('SIGUSR2', () => {
  const { gc } = globalThis;
  gc?.();
  gc?.(); // what the first round's finalizers let go
});
