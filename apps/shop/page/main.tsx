import { showPage } from "@keyline/look";
import { ShopPage } from "./shop-page.tsx";

showPage(<ShopPage />);
