/** Guesses the name that was meant, for unknown flags and commands. */

/**
 * The only name that begins like this, or the one that takes the fewest changes of letters. It is undefined if no name
 * is near.
 */
export function nearest(name: string, names: readonly string[]): string | undefined {
  // A flag of one letter stands for one that begins with it.
  const start = /^-[^-]$/.test(name) ? `-${name}` : name;
  const [longer, ...more] = start === '' ? [] : names.filter((each) => each.startsWith(start));
  if (longer !== undefined && more.length === 0) return longer;
  const most = Math.max(1, Math.floor(name.length / 3));
  let found: string | undefined;
  let fewest = most + 1;
  for (const each of names) {
    const changes = changesBetween(name, each);
    if (changes < fewest) {
      fewest = changes;
      found = each;
    }
  }
  return found;
}

/** Returns ` (did you mean `--port`?)`, or an empty text. */
export function didYouMean(name: string, names: readonly string[]): string {
  const meant = nearest(name, names);
  return meant === undefined ? '' : ` (did you mean \`${meant}\`?)`;
}

/** The unknown flag in an error of `parseArgs`. */
export function unknownFlagIn(error: unknown): string | undefined {
  const isUnknown =
    error instanceof Error && 'code' in error && error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
  return isUnknown ? /'(-[^' ]*)/.exec(error.message)?.[1] : undefined;
}

/** The unexpected argument in an error of `parseArgs`. */
export function argumentIn(error: unknown): string | undefined {
  const isArgument =
    error instanceof Error && 'code' in error && error.code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL';
  return isArgument ? /^Unexpected argument '(.*?)'\. /s.exec(error.message)?.[1] : undefined;
}

/** The number of letters to insert, delete, replace, or swap with the next one. */
function changesBetween(left: string, right: string): number {
  const rows = [Array.from({ length: right.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= left.length; i++) {
    const [above, twoAbove] = [rows[i - 1] as number[], rows[i - 2]];
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const isSame = left[i - 1] === right[j - 1];
      let changes = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + (isSame ? 0 : 1),
      );
      const isSwapped = twoAbove && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (isSwapped) changes = Math.min(changes, (twoAbove[j - 2] as number) + 1);
      row.push(changes);
    }
    rows.push(row);
  }
  return rows[left.length]?.[right.length] as number;
}
