/** What an operator of a damaged data folder can do. */
export const DAMAGE_HINT =
  'Keep a copy of the data folder. Then restore a backup, or move store, blobs and store.json away; own seals and ' +
  'receipts come back only with a backup. Either way import a peer’s `anchormesh log export` BEFORE you announce ' +
  'or publish again, or your key signs two events at one position, which all will see as equivocation.'
