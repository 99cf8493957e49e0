import { render } from 'preact';
import { App } from './app.tsx';
import { startSession } from './session/session.ts';
import { followPreferences } from './state/preferences.ts';
import { followClock, followView } from './state/profile-model.ts';

followPreferences();
void startSession();
followView();
followClock();
render(<App />, document.getElementById('app')!);
