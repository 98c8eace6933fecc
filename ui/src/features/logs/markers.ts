import type { LogMarker } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';

/** What happened between two lines, in words. */
export function markerSentence(marker: LogMarker): string {
  if (marker.started) return t('logs.marker.started');
  if (marker.stopped) {
    const code = marker.stopped.exit_code;
    // As a text: an exit code is a name, not an amount.
    return code === null
      ? t('logs.marker.stopped_unknown')
      : t('logs.marker.stopped', { code: String(code) });
  }
  if (marker.recreated) {
    const other = marker.recreated.other_image;
    if (other === null) return t('logs.marker.recreated');
    return t(other ? 'logs.marker.recreated_other' : 'logs.marker.recreated_same');
  }
  if (marker.replayed) return t('logs.marker.replayed', { count: marker.replayed.lines });
  if (marker.source) {
    const path = marker.source.file;
    return path === null ? t('logs.marker.source_stream') : t('logs.marker.source_file', { path });
  }
  return t('logs.marker.lost', { count: marker.lost.lines });
}
