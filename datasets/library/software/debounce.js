/**
 * Helpers that stop a page from doing the same work a hundred times.
 *
 * A search box that asks the server on every keystroke sends ten requests for a
 * word of ten letters, of which nine are useless. A scroll handler may run two
 * hundred times a second. Both need to be calmed down, in two different ways.
 */

/**
 * Waits until the caller has been silent for a while, then runs once.
 *
 * Use it for typing: the work starts only after the user has paused.
 *
 * @param {Function} fn - what to run
 * @param {number} delay - silence in milliseconds; 250 feels immediate
 * @returns {Function & {cancel: Function}} the calmed function
 */
export function debounce(fn, delay = 250) {
  let timer = null;
  function calmed(...args) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      fn.apply(this, args);
    }, delay);
  }
  calmed.cancel = () => {
    clearTimeout(timer);
    timer = null;
  };
  return calmed;
}

/**
 * Runs at most once in each interval, however often it is called.
 *
 * Use it for scrolling, dragging and resizing: the display keeps up with the
 * movement, but does not try to follow each pixel. The last call is never lost.
 *
 * @param {Function} fn - what to run
 * @param {number} interval - shortest distance between two runs in milliseconds
 * @returns {Function} the calmed function
 */
export function throttle(fn, interval = 100) {
  let last = -Infinity;
  let timer = null;
  return function calmed(...args) {
    const rest = interval - (performance.now() - last);
    clearTimeout(timer);
    if (rest <= 0) {
      last = performance.now();
      fn.apply(this, args);
    } else {
      timer = setTimeout(() => {
        last = performance.now();
        fn.apply(this, args);
      }, rest);
    }
  };
}

/**
 * Makes sure that a slow early answer cannot overwrite a quick later one.
 *
 * Each new call aborts the request that is still under way. Without this, the
 * results for "ca" may appear after, and in place of, those for "cat".
 *
 * @param {(query: string, signal: AbortSignal) => Promise<any>} ask
 * @returns {(query: string) => Promise<any>} resolves to null when overtaken
 */
export function latestOnly(ask) {
  let controller = null;
  return async function (query) {
    controller?.abort();
    controller = new AbortController();
    try {
      return await ask(query, controller.signal);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    }
  };
}
