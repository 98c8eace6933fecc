import type { ServiceState } from '../../backend/types';

/** Whether test pictures can be made on a service: on Forge alone, so far. */
export const generates = (service: ServiceState): boolean => service.kind === 'forge';
