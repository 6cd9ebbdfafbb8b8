// What the user has chosen, and who wants to know when it changes.

/** A set of values; listeners get all of them and the names of those that changed. */
export function makeStore(values) {
  const listeners = [];
  return {
    get: () => values,
    listen(listener) {
      listeners.push(listener);
      listener(values, new Set(Object.keys(values)));
    },
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      values = { ...values, ...changes };
      if (changed.length) listeners.forEach((listener) => listener(values, new Set(changed)));
    },
    /** Switch a layer, or give it another opacity. */
    setLayer(key, changes) {
      const layer = { ...values.layers[key], ...changes };
      this.set({ layers: { ...values.layers, [key]: layer } });
    },
  };
}
