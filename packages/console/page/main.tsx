import { showPage } from "@keyline/look";
import "./console.css";
import { ConsolePage } from "./console-page.tsx";
import { takeTokenFromFragment } from "./server/session.ts";

// Before anything is asked of the server, and so that the token stands in no history.
takeTokenFromFragment();
showPage(<ConsolePage />);
